#include <vector>

#include "engine/text/split_pattern.h"
#include "engine/text/utf8.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"

namespace windowkv {
namespace {

// Matches come in order, are not empty and begin and end between characters of the text.
absl::Status CheckMatches(const SplitPattern& pattern, std::string_view text) {
  std::vector<SplitPattern::Span> matches;
  pattern.FindAll(text, &matches);
  size_t done = 0;
  for (const SplitPattern::Span& match : matches) {
    if (match.begin < done || match.end <= match.begin || match.end > text.size()) {
      return Broken("matches stand in order inside the text");
    }
    done = match.end;
    const std::string_view matched = text.substr(match.begin, match.end - match.begin);
    if (ValidUtf8Prefix(matched) != matched.size()) return Broken("a match is whole characters");
  }
  return absl::OkStatus();
}

}  // namespace

// Parts: an expression; a text, of which the valid beginning is read.
absl::Status FuzzSplitPattern(std::string_view input) {
  FuzzInput parts(input);
  const std::string_view regex = parts.Part();
  const std::string_view text = parts.Rest().substr(0, ValidUtf8Prefix(parts.Rest()));
  const auto pattern = SplitPattern::Compile(regex);
  if (!pattern.ok()) {
    return CheckRefusal(pattern.status(),
                        {absl::StatusCode::kInvalidArgument, absl::StatusCode::kUnimplemented},
                        "regular expression");
  }
  return CheckMatches(*pattern, text);
}

}  // namespace windowkv
