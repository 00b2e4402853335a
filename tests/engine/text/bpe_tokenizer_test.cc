#include "engine/text/bpe_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "engine/text/utf8.h"
#include "tests/engine/text/checkpoint_files.h"

namespace windowkv {
namespace {

using nlohmann::json;

std::string Decoded(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string bytes;
  for (const int32_t id : ids) bytes += tokenizer.TokenBytes(id);
  return bytes;
}

TEST(BpeTokenizerTest, EncodesAsTheReferenceDoes) {
  const json demo = ReadJson(DemoModelDir() + "/tokenizer.json");
  for (const json& golden : TokenizerGoldens()["bpe"]) {
    SCOPED_TRACE(golden["name"]);
    const json& base = golden["base"] == "demo_llama" ? demo : TokenizerGoldens()["sentencepiece"];
    const auto tokenizer = LoadFrom(Patched(base, golden["patch"]));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const json& entry : golden["texts"]) {
      const std::string text = entry["text"];
      EXPECT_EQ(json((*tokenizer)->Encode(text, SpecialTokens::kParse)), entry["ids"]) << text;
      EXPECT_EQ(json((*tokenizer)->Encode(text, SpecialTokens::kAsText)), entry["ids_as_text"])
          << text;
    }
  }
}

TEST(BpeTokenizerTest, EncodesLlama3VectorsAsExpected) {
  const std::string dir = FixturePath("tokenizer_llama3");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not there";
  const auto tokenizer = LoadTokenizer(dir);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->bos_id(), 128000);
  EXPECT_EQ((*tokenizer)->vocab_size(), 128256);

  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string texts = ReadText(dir + "/ggml-vocab-llama-bpe.gguf.inp");
  std::istringstream expected(ReadText(dir + "/ggml-vocab-llama-bpe.gguf.out"));
  size_t cases = 0;
  for (size_t at = 0; at <= texts.size(); ++cases) {
    const size_t end = std::min(texts.find(separator, at), texts.size());
    const std::string text = texts.substr(at, end - at);
    at = end + separator.size();
    std::string line;
    std::getline(expected, line);
    std::istringstream numbers(line);
    const std::vector<int32_t> ids((std::istream_iterator<int32_t>(numbers)),
                                   std::istream_iterator<int32_t>());
    EXPECT_EQ((*tokenizer)->Encode(text, SpecialTokens::kAsText), ids) << text;
    EXPECT_EQ(Decoded(**tokenizer, ids), text);
  }
  EXPECT_EQ(cases, 47);
}

TEST(BpeTokenizerTest, EncodesStoriesPromptsAsExpected) {
  const std::string dir = FixturePath("stories260K-hf");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not there";
  const auto tokenizer = LoadTokenizer(dir);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (const json& golden : ReadJson(dir + "/golden.json")) {
    if (!golden.contains("prompt")) continue;
    std::vector<int32_t> ids = {(*tokenizer)->bos_id().value_or(-1)};
    const auto rest = (*tokenizer)->Encode(std::string(golden["prompt"]), SpecialTokens::kParse);
    ids.insert(ids.end(), rest.begin(), rest.end());
    EXPECT_EQ(json(ids), golden["prompt_ids"]) << golden["prompt"];
  }
}

std::string RandomBytes(std::mt19937* random, bool valid) {
  std::string text;
  const int count = std::uniform_int_distribution(0, 40)(*random);
  for (int i = 0; i < count; ++i) {
    constexpr char32_t kLimits[] = {0x80, 0x300, 0x3000, 0x10000, 0x110000};
    char32_t c = 0;
    do {
      c = std::uniform_int_distribution<uint32_t>(0, kLimits[(*random)() % 5] - 1)(*random);
    } while (c >= 0xD800 && c < 0xE000);
    AppendUtf8(c, &text);
    if (!valid && (*random)() % 3 == 0) text.push_back(static_cast<char>((*random)()));
  }
  return text;
}

TEST(BpeTokenizerTest, GivesBackAnyBytesItEncoded) {
  const auto byte_level = LoadTokenizer(DemoModelDir());
  const auto converted = LoadFrom(TokenizerGoldens()["sentencepiece"]);
  ASSERT_TRUE(byte_level.ok()) << byte_level.status();
  ASSERT_TRUE(converted.ok()) << converted.status();
  std::mt19937 random(5);
  for (int i = 0; i < 500; ++i) {
    const std::string text = RandomBytes(&random, i % 2 == 0);
    for (const auto special : {SpecialTokens::kParse, SpecialTokens::kAsText}) {
      EXPECT_EQ(Decoded(**byte_level, (*byte_level)->Encode(text, special)), text);
      const auto ids = (*converted)->Encode(text, special);
      EXPECT_EQ(Decoded(**converted, ids), text.empty() ? "" : " " + text);
    }
  }
}

TEST(BpeTokenizerTest, EncodesWhatIsNotUtf8ByteByByte) {
  const auto tokenizer = LoadTokenizer(DemoModelDir());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto ids = (*tokenizer)->Encode("the\xE2\x82the", SpecialTokens::kParse);
  ASSERT_EQ(ids.size(), 6);
  EXPECT_EQ((*tokenizer)->TokenBytes(ids[2]), "\xE2");
  EXPECT_EQ((*tokenizer)->TokenBytes(ids[3]), "\x82");
}

TEST(BpeTokenizerTest, EncodesAMegabyteInOneWord) {
  const auto byte_level = LoadTokenizer(DemoModelDir());
  const auto converted = LoadFrom(TokenizerGoldens()["sentencepiece"]);
  ASSERT_TRUE(byte_level.ok() && converted.ok());
  std::mt19937 random(6);
  std::string letters;
  for (int i = 0; i < 1'000'000; ++i) letters += static_cast<char>('a' + random() % 26);
  for (const std::string& text : {letters, std::string(1'000'000, 'e'), std::string(1'000'000, ' '),
                                  std::string(1'000'000, '<'), std::string(1'000'000, '\xFF')}) {
    EXPECT_EQ(Decoded(**byte_level, (*byte_level)->Encode(text, SpecialTokens::kParse)), text);
    EXPECT_EQ(Decoded(**converted, (*converted)->Encode(text, SpecialTokens::kParse)), " " + text);
  }
}

TEST(BpeTokenizerTest, ReadsSpecialTokensOnlyWhereAskedTo) {
  const auto tokenizer = LoadTokenizer(DemoModelDir());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const int32_t eot = (*tokenizer)->IdOf("<|eot_id|>").value_or(-1);
  EXPECT_EQ(eot, 4);
  EXPECT_TRUE((*tokenizer)->IsSpecial(eot));
  EXPECT_EQ((*tokenizer)->TokenBytes(eot), "<|eot_id|>");
  EXPECT_EQ((*tokenizer)->Encode("<|eot_id|>", SpecialTokens::kParse), std::vector{eot});
  const auto as_text = (*tokenizer)->Encode("<|eot_id|>", SpecialTokens::kAsText);
  EXPECT_GT(as_text.size(), 1);
  for (const int32_t id : as_text) EXPECT_FALSE((*tokenizer)->IsSpecial(id));
}

TEST(BpeTokenizerTest, NeverTakesAWholeWordForASpecialToken) {
  json file = ReadJson(DemoModelDir() + "/tokenizer.json");
  file["model"]["ignore_merges"] = true;
  file["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const auto tokenizer = LoadFrom(file);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_GT((*tokenizer)->Encode("<|eot_id|>", SpecialTokens::kAsText).size(), 1);
}

TEST(BpeTokenizerTest, NeverMakesASpecialTokenOfPlainTextByMergesOrLetters) {
  struct Row {
    json file;
    const char* spelling;  // an ordinary token of the file, made special
  };
  for (auto& [file, spelling] : {Row{ReadJson(DemoModelDir() + "/tokenizer.json"), "he"},
                                 Row{TokenizerGoldens()["sentencepiece"], "▁"}}) {
    const int32_t id = file["model"]["vocab"][spelling];
    json with_special = file;
    with_special["added_tokens"].push_back({{"id", id}, {"content", spelling}, {"special", true}});
    const auto tokenizer = LoadFrom(with_special);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_THAT((*tokenizer)->Encode(spelling, SpecialTokens::kParse), testing::Contains(id));
    const auto ids = (*tokenizer)->Encode(spelling, SpecialTokens::kAsText);
    EXPECT_FALSE(ids.empty());
    EXPECT_THAT(ids, testing::Not(testing::Contains(id)));
  }
}

TEST(BpeTokenizerTest, KnowsNothingOutsideItsVocabulary) {
  const auto tokenizer = LoadTokenizer(DemoModelDir());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 4096);
  for (const int32_t id : {-1, 4096, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ((*tokenizer)->TokenBytes(id), "");
    EXPECT_FALSE((*tokenizer)->IsSpecial(id));
  }
  EXPECT_FALSE((*tokenizer)->IdOf("no such token").has_value());
}

}  // namespace
}  // namespace windowkv
