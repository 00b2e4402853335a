#include "engine/request/stop_checker.h"

#include <algorithm>
#include <utility>

namespace windowkv {
namespace {

// Length of the longest end of `text` that is a beginning of `stop`, and not all of it.
size_t PartialMatch(std::string_view text, std::string_view stop) {
  for (size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length) {
    if (text.substr(text.size() - length) == stop.substr(0, length)) return length;
  }
  return 0;
}

}  // namespace

size_t StopChecker::Match(size_t old) {
  size_t first_end = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t from = old >= stop.size() ? old - stop.size() + 1 : 0;
    const size_t at = held_.find(stop, from);
    if (at == std::string::npos) continue;
    const size_t end = at + stop.size();
    if (end > first_end || (end == first_end && stop.size() <= matched_.size())) continue;
    first_end = end;
    matched_ = stop;
  }
  return first_end;
}

std::string StopChecker::Push(std::string_view text, bool may_match) {
  const size_t old = held_.size();
  held_ += text;
  const size_t end = may_match ? Match(old) : std::string::npos;
  if (!matched_.empty()) {
    std::string before = held_.substr(0, end - matched_.size());
    held_.clear();
    return before;
  }
  size_t keep = 0;
  for (const std::string& stop : stops_) keep = std::max(keep, PartialMatch(held_, stop));
  // A held part begins at a character: stop strings are whole UTF-8 strings.
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopChecker::Flush() { return std::exchange(held_, {}); }

}  // namespace windowkv
