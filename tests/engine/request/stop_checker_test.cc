#include "engine/request/stop_checker.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/engine/request/stop_reference.h"

namespace windowkv {
namespace {

// Every way to cut a short text into pieces: bit i of `cuts` cuts before byte i + 1.
std::vector<std::string> Cut(const std::string& text, uint32_t cuts) {
  std::vector<std::string> pieces(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && (cuts >> (i - 1) & 1) != 0) pieces.emplace_back();
    pieces.back() += text[i];
  }
  return pieces;
}

void ExpectAsWholeForEveryCut(const std::vector<std::string>& stops, const std::string& text) {
  const ShownText expected = ShownAtOnce(stops, text);
  for (uint32_t cuts = 0; cuts < (1u << (text.size() - 1)); ++cuts) {
    const ShownText shown = ShowInPieces(stops, Cut(text, cuts));
    ASSERT_EQ(shown.text, expected.text) << text << ", cuts " << cuts;
    ASSERT_EQ(shown.matched, expected.matched) << text << ", cuts " << cuts;
  }
}

TEST(StopCheckerTest, ShowsEverythingAtOnceWithoutStops) {
  StopChecker checker({});
  EXPECT_EQ(checker.Push("any text"), "any text");
  EXPECT_EQ(checker.Flush(), "");
  EXPECT_EQ(checker.matched(), "");
}

TEST(StopCheckerTest, BeforeItMayMatchAStopMayBeginButNotEnd) {
  StopChecker checker({"\n\nQ:", "end"});
  EXPECT_EQ(checker.Push("end. ", /*may_match=*/false), "end. ");
  EXPECT_EQ(checker.Push("yes\n\n", /*may_match=*/false), "yes");
  EXPECT_EQ(checker.Push("Q:"), "");
  EXPECT_EQ(checker.matched(), "\n\nQ:");
}

TEST(StopCheckerTest, AStopThatEndedBeforeItCouldMatchNeverCounts) {
  StopChecker held({"\n", "\n\n"});
  EXPECT_EQ(held.Push("Hello\n", /*may_match=*/false), "Hello");
  EXPECT_EQ(held.Push("world"), "\nworld");
  EXPECT_EQ(held.matched(), "");
  StopChecker longer({"\n", "\n\n"});
  EXPECT_EQ(longer.Push("Hello\n", /*may_match=*/false), "Hello");
  EXPECT_EQ(longer.Push("\nworld"), "");
  EXPECT_EQ(longer.matched(), "\n\n");
  StopChecker last({"\n", "\n\n"});
  EXPECT_EQ(last.Push("Hello\n", /*may_match=*/false), "Hello");
  EXPECT_EQ(last.Push("") + last.Flush(), "\n");
  EXPECT_EQ(last.matched(), "");
}

TEST(StopCheckerTest, HoldsBackOnlyWhatMayBecomeAStop) {
  StopChecker checker({"END"});
  EXPECT_EQ(checker.Push("the E"), "the ");
  EXPECT_EQ(checker.Push("N"), "");
  EXPECT_EQ(checker.Push("GLISH"), "ENGLISH");
  EXPECT_EQ(checker.Push(" EN"), " ");
  EXPECT_EQ(checker.Flush(), "EN");
  EXPECT_EQ(checker.matched(), "");
}

TEST(StopCheckerTest, ShowsWhatStandsBeforeTheStopAndNothingAfter) {
  StopChecker checker({"\n\n"});
  EXPECT_EQ(checker.Push("answer\n\nmore"), "answer");
  EXPECT_EQ(checker.matched(), "\n\n");
  EXPECT_EQ(checker.Flush(), "");
}

TEST(StopCheckerTest, FindsAStopForEveryCutOfTheText) {
  ExpectAsWholeForEveryCut({"stop"}, "so sstop it");
  ExpectAsWholeForEveryCut({"aab"}, "aaaaab");
  ExpectAsWholeForEveryCut({"abab"}, "abaababb");
  ExpectAsWholeForEveryCut({"none"}, "nonono nono");
}

TEST(StopCheckerTest, TakesTheStopThatIsCompleteFirst) {
  ExpectAsWholeForEveryCut({"world", "hello"}, "hello world");
  ExpectAsWholeForEveryCut({"abcd", "bc"}, "xxabcdxx");
  ExpectAsWholeForEveryCut({"abcd", "bcx"}, "xabcxabcd");
}

TEST(StopCheckerTest, TakesTheLongestOfStopsThatEndTogether) {
  ExpectAsWholeForEveryCut({"d", "abcd", "cd"}, "xxabcdxx");
  EXPECT_EQ(ShowInPieces({"d", "abcd", "cd"}, {"xxabcdxx"}).matched, "abcd");
}

TEST(StopCheckerTest, FindsMultiByteStopsBetweenBytes) {
  ExpectAsWholeForEveryCut({"。", "é"}, "日本。é");
  ExpectAsWholeForEveryCut({"🙂"}, "ok 🙃🙂!");
}

TEST(StopCheckerTest, RandomTextsAndCutsGiveWhatTheWholeTextGives) {
  std::mt19937 random(7);
  const auto word = [&random](size_t least, size_t most) {
    std::string text(least + random() % (most - least + 1), 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (size_t i = random() % 4; i > 0; --i) stops.push_back(word(1, 5));
    const std::string text = word(1, 24);
    const ShownText shown = ShowInPieces(stops, Cut(text, static_cast<uint32_t>(random())));
    const ShownText expected = ShownAtOnce(stops, text);
    ASSERT_EQ(shown.text, expected.text) << text;
    ASSERT_EQ(shown.matched, expected.matched) << text;
  }
}

}  // namespace
}  // namespace windowkv
