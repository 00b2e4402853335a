#include "engine/text/split_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace windowkv {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Matches(const SplitPattern& pattern, std::string_view text) {
  std::vector<SplitPattern::Span> spans;
  pattern.FindAll(text, &spans);
  std::vector<std::string> matches;
  matches.reserve(spans.size());
  for (const auto& [begin, end] : spans) matches.emplace_back(text.substr(begin, end - begin));
  return matches;
}

std::vector<std::string> Matches(std::string_view regex, std::string_view text) {
  absl::StatusOr<SplitPattern> pattern = SplitPattern::Compile(regex);
  EXPECT_TRUE(pattern.ok()) << pattern.status();
  return pattern.ok() ? Matches(*pattern, text) : std::vector<std::string>();
}

TEST(SplitPatternTest, MatchesUnicodeClassesFromLeftToRight) {
  EXPECT_THAT(Matches("\\p{L}+|\\p{N}", "añb 12 Ωя"), ElementsAre("añb", "1", "2", "Ωя"));
  EXPECT_THAT(Matches("\\s+(?!\\S)|\\s+", "a   b "), ElementsAre("  ", " ", " "));
  EXPECT_THAT(Matches("(?i:'s)", "it'S"), ElementsAre("'S"));
}

TEST(SplitPatternTest, TakesTheUnicodeDefinitionOfWhiteSpace) {
  EXPECT_THAT(Matches("\\s", "a\u00A0b\u180Ec\u3000"), ElementsAre("\u00A0", "\u3000"));
  EXPECT_THAT(Matches("[^\\s]", " \u180E"), ElementsAre("\u180E"));
}

TEST(SplitPatternTest, SkipsEmptyMatches) { EXPECT_THAT(Matches("x*", "éxxé"), ElementsAre("xx")); }

TEST(SplitPatternTest, MatchesALiteral) {
  EXPECT_THAT(Matches(SplitPattern::Literal("."), "a..b"), ElementsAre(".", "."));
  EXPECT_THAT(Matches(SplitPattern::Literal("▁"), "ab"), IsEmpty());
}

TEST(SplitPatternTest, EndsOnTextThatIsTooHard) {
  std::string text(200, 'a');
  text += 'b';
  EXPECT_THAT(Matches("(a+)+c", text), IsEmpty());
}

TEST(SplitPatternTest, RefusesWhatIsNoExpression) {
  const absl::Status status = SplitPattern::Compile("(a").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing closing parenthesis"));
}

TEST(SplitPatternTest, RefusesWhatTheEnginesReadDifferently) {
  for (const char* regex : {"\\p{N}{1,3}+", "[a-z&&[^b]]", "\\h+", "\\C"}) {
    EXPECT_EQ(SplitPattern::Compile(regex).status().code(), absl::StatusCode::kUnimplemented)
        << regex;
  }
}

}  // namespace
}  // namespace windowkv
