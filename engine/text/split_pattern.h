#ifndef WINDOWKV_ENGINE_TEXT_SPLIT_PATTERN_H_
#define WINDOWKV_ENGINE_TEXT_SPLIT_PATTERN_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

struct pcre2_real_code_8;

namespace windowkv {

// A checkpoint's regular expression for cutting text into words. Checkpoints write Oniguruma's
// dialect and we run PCRE2, so constructs that the two read differently are refused, and what they
// agree on but for the definition of white space (\s) is rewritten. Constant after creation;
// thread-safe.
class SplitPattern {
 public:
  // Byte offsets of a match, never empty.
  struct Span {
    size_t begin = 0;
    size_t end = 0;
  };

  // INVALID_ARGUMENT: not a regular expression. UNIMPLEMENTED: one of the refused constructs.
  static absl::StatusOr<SplitPattern> Compile(std::string_view regex);
  // Matches exactly `text`, which is not empty.
  static SplitPattern Literal(std::string_view text);

  // All matches from left to right; `text` is valid UTF-8. A text too hard for the expression
  // (its backtracking exceeds PCRE2's limits) has no matches from there on.
  void FindAll(std::string_view text, std::vector<Span>* matches) const;

 private:
  struct CodeDeleter {
    void operator()(pcre2_real_code_8* code) const;
  };

  void FindRegex(std::string_view text, std::vector<Span>* matches) const;

  std::unique_ptr<pcre2_real_code_8, CodeDeleter> code_;  // null for a literal
  std::string literal_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_SPLIT_PATTERN_H_
