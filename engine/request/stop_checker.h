#ifndef WINDOWKV_ENGINE_REQUEST_STOP_CHECKER_H_
#define WINDOWKV_ENGINE_REQUEST_STOP_CHECKER_H_

#include <string>
#include <string_view>
#include <vector>

namespace windowkv {

// Finds stop strings in text that comes in pieces, also across their borders, and holds back what
// may still become one. Of several, the one that is complete first counts, and of those the
// longest: the same however the text is cut. Owned by one sequence; not thread-safe.
class StopChecker {
 public:
  explicit StopChecker(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // The text that may be shown now. After a match: what stood before it, and matched() is set.
  // Unless it `may_match`, no stop string that ends in `text` counts, one that begins there does.
  std::string Push(std::string_view text, bool may_match = true);

  // What was held back, at the end of the sequence.
  std::string Flush();

  // The stop string that was found, or empty.
  const std::string& matched() const { return matched_; }

 private:
  // Finds the stop string that is complete first in what is held, and ends behind its first `old`
  // bytes; its end.
  size_t Match(size_t old);

  std::vector<std::string> stops_;
  std::string held_;
  std::string matched_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_REQUEST_STOP_CHECKER_H_
