#include "engine/text/streaming_detokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/utf8.h"
#include "tests/engine/text/checkpoint_files.h"
#include "tests/engine/text/decoded_at_once.h"
#include "tests/engine/text/listed_tokens.h"

namespace windowkv {
namespace {

std::vector<std::string> Deltas(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  StreamingDetokenizer detokenizer(&tokenizer);
  std::vector<std::string> deltas;
  deltas.reserve(ids.size() + 1);
  for (const int32_t id : ids) deltas.push_back(detokenizer.Push(id));
  deltas.push_back(detokenizer.Flush());
  return deltas;
}

using Texts = std::vector<std::string>;

TEST(StreamingDetokenizerTest, HoldsACharacterBackUntilItIsWhole) {
  const ListedTokens tokens({"<s>", "\xF0\x9F", "\x98", "\x80!"}, false);
  EXPECT_EQ(Deltas(tokens, {1, 2, 3}), (Texts{"", "", "😀!", ""}));
}

TEST(StreamingDetokenizerTest, ReplacesBytesThatCanNoLongerBecomeACharacter) {
  const ListedTokens tokens({"<s>", "\xF0\x9F", "a", "\xFF", "\x80"}, false);
  EXPECT_EQ(Deltas(tokens, {1, 2}), (Texts{"", "\uFFFDa", ""}));
  EXPECT_EQ(Deltas(tokens, {3, 4}), (Texts{"\uFFFD", "\uFFFD", ""}));
  EXPECT_EQ(Deltas(tokens, {1, 1}), (Texts{"", "\uFFFD", "\uFFFD"}));
}

TEST(StreamingDetokenizerTest, GivesNoTextForSpecialAndUnknownTokens) {
  const ListedTokens tokens({"<s>", "\xC3", "\xA9"}, false);
  EXPECT_EQ(Deltas(tokens, {0, 1, 0, 99, -1, 2, 0}), (Texts{"", "", "", "", "", "é", "", ""}));
}

TEST(StreamingDetokenizerTest, StripsOneSpaceAtTheStartWhereTheCheckpointDoes) {
  const Texts texts = {"<s>", "  a", " b", " "};
  EXPECT_EQ(Deltas(ListedTokens(texts, true), {0, 1, 2}), (Texts{"", " a", " b", ""}));
  EXPECT_EQ(Deltas(ListedTokens(texts, true), {3, 2}), (Texts{"", " b", ""}));
  EXPECT_EQ(Deltas(ListedTokens(texts, false), {0, 1, 2}), (Texts{"", "  a", " b", ""}));
}

TEST(StreamingDetokenizerTest, StartsAnewAfterFlush) {
  const ListedTokens tokens({"<s>", "\xC3", "\xA9"}, false);
  StreamingDetokenizer detokenizer(&tokens);
  EXPECT_EQ(detokenizer.Push(1), "");
  EXPECT_EQ(detokenizer.Flush(), "\uFFFD");
  EXPECT_EQ(detokenizer.Flush(), "");
}

TEST(StreamingDetokenizerTest, GivesInTotalWhatDecodingAtOnceGives) {
  std::mt19937 random(3);
  const auto byte_level = LoadTokenizer(DemoModelDir());
  const auto converted = LoadFrom(TokenizerGoldens()["sentencepiece"]);
  for (const auto* tokenizer : {&byte_level, &converted}) {
    ASSERT_TRUE(tokenizer->ok()) << tokenizer->status();
    const Tokenizer& tokens = ***tokenizer;
    for (int round = 0; round < 500; ++round) {
      // The low ids are mostly single bytes.
      const int32_t limit = round % 2 == 0 ? 262 : tokens.vocab_size();
      std::vector<int32_t> ids(random() % 30);
      for (int32_t& id : ids) id = static_cast<int32_t>(random() % limit);
      std::string text;
      for (const std::string& delta : Deltas(tokens, ids)) {
        EXPECT_EQ(ValidUtf8Prefix(delta), delta.size());
        text += delta;
      }
      EXPECT_EQ(text, DecodedAtOnce(tokens, ids));
    }
  }
}

TEST(StreamingDetokenizerTest, WritesTheStoriesAsExpected) {
  const std::string dir = FixturePath("stories260K-hf");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not there";
  const auto tokenizer = LoadTokenizer(dir);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (const auto& golden : ReadJson(dir + "/golden.json")) {
    std::vector<int32_t> ids = golden["prompt_ids"];
    for (const int32_t id : golden["greedy_ids"]) ids.push_back(id);
    std::string text;
    for (const std::string& delta : Deltas(**tokenizer, ids)) text += delta;
    EXPECT_EQ(text, golden["text"].get<std::string>());
  }
}

}  // namespace
}  // namespace windowkv
