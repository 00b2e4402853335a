#include "engine/text/token_offsets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/text/utf8.h"
#include "tests/engine/text/checkpoint_files.h"
#include "tests/engine/text/listed_tokens.h"

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TokenOffsetsTest, EachTokenEndsWhereItsBytesDo) {
  const ListedTokens tokens({"<s>", "The", " ca", "f\xC3", "\xA9"}, false);
  EXPECT_THAT(TokenEnds("The café", {1, 2, 3, 4}, tokens), ElementsAre(3, 6, 8, 9));
}

TEST(TokenOffsetsTest, ATokenPutBeforeTheTextEndsAtZero) {
  const ListedTokens tokens({"<s>", "The", " end"}, false);
  EXPECT_THAT(TokenEnds("The end", {0, 1, 2}, tokens), ElementsAre(0, 3, 7));
}

TEST(TokenOffsetsTest, ASpecialTokenThatTheTextSpellsCounts) {
  const ListedTokens tokens({"<s>", "a", "b"}, false);
  EXPECT_THAT(TokenEnds("<s>ab", {0, 1, 2}, tokens), ElementsAre(3, 4, 5));
  EXPECT_THAT(TokenEnds("a<s>b", {0, 1, 0, 2}, tokens), ElementsAre(0, 1, 4, 5));
}

TEST(TokenOffsetsTest, ASpaceThatTheTokenizerAddedIsNotCounted) {
  const ListedTokens tokens({"<s>", " Hello", " ", " you"}, true);
  EXPECT_THAT(TokenEnds("Hello you", {0, 1, 3}, tokens), ElementsAre(0, 5, 9));
  EXPECT_THAT(TokenEnds("<s>Hello", {0, 1}, tokens), ElementsAre(3, 8));
}

TEST(TokenOffsetsTest, ATextThatBeginsWithASpaceKeepsItBesideTheAddedOne) {
  const ListedTokens tokens({"<s>", " Hello", " ", "  "}, true);
  EXPECT_THAT(TokenEnds(" Hello", {0, 2, 1}, tokens), ElementsAre(0, 0, 6));
  EXPECT_THAT(TokenEnds("  ", {0, 3, 2}, tokens), ElementsAre(0, 1, 2));
  // A tokenizer that adds none to such a text.
  EXPECT_THAT(TokenEnds(" Hello", {0, 1}, tokens), ElementsAre(0, 6));
}

TEST(TokenOffsetsTest, TokensThatDoNotSpellTheTextGiveNothing) {
  const ListedTokens tokens({"<s>", "Hello", " you", " Hello"}, false);
  EXPECT_THAT(TokenEnds("hello you", {1, 2}, tokens), IsEmpty());
  EXPECT_THAT(TokenEnds("Hello", {1, 2}, tokens), IsEmpty());
  EXPECT_THAT(TokenEnds("Hello you all", {1, 2}, tokens), IsEmpty());
  EXPECT_THAT(TokenEnds("Hello you", {1, 0, 2}, tokens), IsEmpty());
  EXPECT_THAT(TokenEnds("Hello", {3}, tokens), IsEmpty());
}

std::string RandomText(std::mt19937* random) {
  static const auto& pieces = *new std::vector<std::string>{
      " ", "  ", "\n", "the", " river", "é", "日本", "😀", "e\u0301", "25", "€", "…", "Z"};
  std::string text;
  for (uint32_t i = 0, count = 1 + (*random)() % 12; i < count; ++i) {
    text += pieces[(*random)() % pieces.size()];
  }
  return text;
}

TEST(TokenOffsetsTest, RealTokenizersSpellEveryText) {
  const auto byte_level = LoadTokenizer(DemoModelDir());
  const auto converted = LoadFrom(TokenizerGoldens()["sentencepiece"]);
  std::mt19937 random(11);
  for (const auto* loaded : {&byte_level, &converted}) {
    ASSERT_TRUE(loaded->ok()) << loaded->status();
    const Tokenizer& tokenizer = ***loaded;
    for (int round = 0; round < 500; ++round) {
      const std::string text = RandomText(&random);
      const auto ids = tokenizer.Encode(text, SpecialTokens::kParse);
      const auto ends = TokenEnds(text, ids, tokenizer);
      ASSERT_EQ(ends.size(), ids.size()) << '"' << text << '"';
      EXPECT_EQ(ends.back(), static_cast<int64_t>(text.size()));
      for (size_t i = 1; i < ids.size(); ++i) {
        const auto begin = static_cast<size_t>(ends[i - 1]);
        const auto end = static_cast<size_t>(ends[i]);
        const std::string bytes = tokenizer.TokenBytes(ids[i]);
        ASSERT_EQ(text.substr(begin, end - begin), bytes) << '"' << text << '"';
      }
    }
  }
}

}  // namespace
}  // namespace windowkv
