// What LoadTokenizer says about files that are broken or ask for what we do not do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "engine/text/tokenizer.h"
#include "tests/engine/text/checkpoint_files.h"

namespace windowkv {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// A change to the demo model's tokenizer.json, and the error it gives.
struct Breakage {
  std::string pointer;  // JSON pointer of the value that is replaced
  json value;
  absl::StatusCode code;
  std::string message;
};

void ExpectErrors(const json& base, const std::vector<Breakage>& breakages) {
  for (const Breakage& breakage : breakages) {
    json file = base;
    file[json::json_pointer(breakage.pointer)] = breakage.value;
    const absl::Status status = LoadFrom(file).status();
    EXPECT_EQ(status.code(), breakage.code) << breakage.pointer << ": " << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("/tokenizer.json: "), HasSubstr(breakage.message)))
        << breakage.pointer;
  }
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

json DemoFile() { return ReadJson(DemoModelDir() + "/tokenizer.json"); }

TEST(TokenizerFileTest, NamesTheMissingFile) {
  const CheckpointDir dir;
  const absl::Status status = LoadTokenizer(dir.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/tokenizer.json"));
}

TEST(TokenizerFileTest, RefusesWhatIsNotJson) {
  const std::string whole = ReadText(DemoModelDir() + "/tokenizer.json");
  for (const std::string_view text :
       {std::string_view(), std::string_view("{"), std::string_view(whole).substr(0, 100'000),
        std::string_view("{\"model\": \"\xFF\"}"), std::string_view("nonsense")}) {
    const CheckpointDir dir;
    dir.Write("tokenizer.json", text);
    const absl::Status status = LoadTokenizer(dir.path()).status();
    EXPECT_EQ(status.code(), kInvalid);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("/tokenizer.json: expected JSON, found "), HasSubstr("at line")));
  }
}

TEST(TokenizerFileTest, SurvivesEndlessNesting) {
  constexpr int kDepth = 300'000;
  const std::string brackets = std::string(kDepth, '[') + std::string(kDepth, ']');
  std::string sequences;
  for (int i = 0; i < 10'000; ++i) sequences += R"({"type":"Sequence","normalizers":[)";
  for (int i = 0; i < 10'000; ++i) sequences += "]}";
  for (const std::string& text :
       {brackets, R"({"model":)" + brackets + "}", R"({"model":{},"normalizer":)" + sequences + "}",
        R"({"model":{},"decoder":{"type":)" + brackets + "}}"}) {
    const CheckpointDir dir;
    dir.Write("tokenizer.json", text);
    EXPECT_FALSE(LoadTokenizer(dir.path()).ok());
  }
}

TEST(TokenizerFileTest, RefusesABrokenModel) {
  ExpectErrors(
      DemoFile(),
      {
          {"/model", nullptr, kInvalid, "model: expected an object, found nothing"},
          {"/model/type", "Unigram", kUnimplemented,
           "model.type: expected \"BPE\", found \"Unigram\""},
          {"/model/vocab", nullptr, kInvalid, "model.vocab: expected an object"},
          {"/model/vocab", json::object(), kInvalid, "model.vocab: expected an object"},
          {"/model/vocab/!", "6", kInvalid,
           "model.vocab.!: expected an id in [0, 16777215], found \"6\""},
          {"/model/vocab/!", -1, kInvalid, "model.vocab.!: expected an id"},
          {"/model/vocab/!", 1.5, kInvalid, "model.vocab.!: expected an id"},
          {"/model/vocab/!", 4'000'000'000, kInvalid, "found 4000000000"},
          {"/model/vocab/!", 7, kInvalid, "expected an id of its own, found 7"},
          {"/model/merges", nullptr, kInvalid, "model.merges: expected an array, found nothing"},
          {"/model/merges/0", "th", kInvalid, "model.merges[0]: expected two tokens, found \"th\""},
          {"/model/merges/0", "t h e", kInvalid, "model.merges[0]: expected two tokens"},
          {"/model/merges/3", json::array({"t", 1}), kInvalid,
           "model.merges[3]: expected two tokens, found [\"t\",1]"},
          {"/model/merges/3", "nobody h", kInvalid,
           "model.merges[3]: expected two tokens of model.vocab, found \"nobody h\""},
          {"/model/merges/3", "! !!!!", kInvalid, "model.merges[3]: expected two tokens"},
          {"/model/merges/3", "z q", kInvalid, "that together are one of model.vocab"},
          {"/model/unk_token", "<nobody>", kInvalid, "expected a token of model.vocab"},
          {"/model/dropout", 0.1, kUnimplemented, "model.dropout: expected nothing, found 0.1"},
          {"/model/end_of_word_suffix", "</w>", kUnimplemented, "model.end_of_word_suffix"},
          {"/model/continuing_subword_prefix", "##", kUnimplemented, "found \"##\""},
          {"/model/ignore_merges", "yes", kInvalid, "expected true or false, found \"yes\""},
      });
}

TEST(TokenizerFileTest, RefusesAVocabularyWithoutAByte) {
  json file = DemoFile();
  file["model"]["vocab"].erase("Ā");  // the byte 0
  const absl::Status status = LoadFrom(file).status();
  EXPECT_EQ(status.code(), kInvalid);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model.vocab: expected a token for every byte (Ā is missing)"));
}

TEST(TokenizerFileTest, RefusesBrokenAddedTokens) {
  ExpectErrors(
      DemoFile(),
      {
          {"/added_tokens", "none", kInvalid, "added_tokens: expected an array, found \"none\""},
          {"/added_tokens/0", 1, kInvalid, "added_tokens[0].id: expected an integer in"},
          {"/added_tokens/0/id", -1, kInvalid, "added_tokens[0].id: expected an integer in"},
          {"/added_tokens/0/id", 1ull << 63, kInvalid, "added_tokens[0].id: expected an integer"},
          {"/added_tokens/0/id", 9, kInvalid, "the token has id 0 already"},
          {"/added_tokens/0/content", "new", kInvalid, "id 0 is that of the token"},
          {"/added_tokens/0/content", "", kInvalid, "a string that is not empty"},
          {"/added_tokens/0/special", 1, kInvalid, "added_tokens[0].special: expected true or"},
      });
}

TEST(TokenizerFileTest, RefusesOtherNormalizersPreTokenizersAndDecoders) {
  const json split = {{"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}};
  ExpectErrors(
      DemoFile(),
      {
          {"/normalizer",
           {{"type", "Lowercase"}},
           kUnimplemented,
           "normalizer.type: expected NFC, NFD, NFKC, NFKD, Prepend, Replace or Sequence, found "
           "\"Lowercase\""},
          {"/normalizer", json::object(), kInvalid, "normalizer.type: expected a string"},
          {"/normalizer", {{"type", "Sequence"}}, kInvalid, "normalizer.normalizers"},
          {"/normalizer",
           {{"type", "Replace"}, {"pattern", {{"Regex", " +"}}}, {"content", " "}},
           kUnimplemented,
           "normalizer.pattern.Regex: expected a String pattern"},
          {"/pre_tokenizer",
           {{"type", "BertPreTokenizer"}},
           kUnimplemented,
           "pre_tokenizer.type: expected Split, ByteLevel, Digits, Metaspace or Sequence"},
          {"/pre_tokenizer/pretokenizers/0", split, kInvalid,
           "pre_tokenizer.pretokenizers[0].pattern.Regex: expected an expression that can be run"},
          {"/pre_tokenizer/pretokenizers/0/behavior", "Joined", kInvalid, "behavior"},
          {"/pre_tokenizer/pretokenizers/1/use_regex", 3, kInvalid, "use_regex"},
          {"/pre_tokenizer/pretokenizers/2",
           {{"type", "ByteLevel"}},
           kUnimplemented,
           "pretokenizers[2].type: expected nothing after ByteLevel"},
          {"/decoder", {{"type", "WordPiece"}}, kUnimplemented, "decoder.type: expected ByteLevel"},
          {"/decoder", nullptr, kInvalid, "decoder.type: expected a string, found nothing"},
          {"/decoder", {{"type", "Fuse"}}, kUnimplemented, "ByteLevel if and only if"},
      });
}

TEST(TokenizerFileTest, RefusesOtherDecodersOfConvertedModels) {
  ExpectErrors(TokenizerGoldens()["sentencepiece"],
               {
                   {"/decoder/decoders/3/start", 2, kUnimplemented,
                    "decoder.decoders[3].start: expected 0 or 1, found 2"},
                   {"/decoder/decoders/3/stop", 1, kUnimplemented, "decoder.decoders[3].stop"},
                   {"/decoder/decoders/3/content", "_", kUnimplemented, "expected a space"},
                   {"/decoder/decoders/0/pattern/String", "", kInvalid, "decoders[0].pattern"},
                   {"/model/unk_token", "<0x00", kInvalid, "model.unk_token"},
               });
}

TEST(TokenizerFileTest, NamesTheBrokenConfiguration) {
  const CheckpointDir dir;
  dir.WriteJson("tokenizer.json", DemoFile());
  dir.Write("tokenizer_config.json", std::string_view("{\"bos_token\": "));
  const absl::Status status = LoadTokenizer(dir.path()).status();
  EXPECT_EQ(status.code(), kInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/tokenizer_config.json: expected JSON"));
}

TEST(TokenizerFileTest, AcceptsEarlyFilesWithoutAModelType) {
  json file = DemoFile();
  file["model"].erase("type");
  for (json& merge : file["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  const auto tokenizer = LoadFrom(file);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto demo = LoadTokenizer(DemoModelDir());
  ASSERT_TRUE(demo.ok()) << demo.status();
  const std::string text = "The ferry leaves at 7.";
  EXPECT_EQ((*tokenizer)->Encode(text, SpecialTokens::kParse),
            (*demo)->Encode(text, SpecialTokens::kParse));
}

}  // namespace
}  // namespace windowkv
