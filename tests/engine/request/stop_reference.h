#ifndef WINDOWKV_TESTS_ENGINE_REQUEST_STOP_REFERENCE_H_
#define WINDOWKV_TESTS_ENGINE_REQUEST_STOP_REFERENCE_H_

#include <string>
#include <vector>

#include "engine/request/stop_checker.h"

namespace windowkv {

// What a sequence's reader sees, and the stop string that ended it.
struct ShownText {
  std::string text;
  std::string matched;
};

// Pushes the pieces until a match, then flushes, as the engine does.
inline ShownText ShowInPieces(const std::vector<std::string>& stops,
                              const std::vector<std::string>& pieces) {
  StopChecker checker(stops);
  ShownText shown;
  for (const std::string& piece : pieces) {
    shown.text += checker.Push(piece);
    if (!checker.matched().empty()) break;
  }
  shown.text += checker.Flush();
  shown.matched = checker.matched();
  return shown;
}

// What the whole text comes to: the stop that is complete first, the longest of those.
inline ShownText ShownAtOnce(const std::vector<std::string>& stops, const std::string& text) {
  size_t first_end = std::string::npos;
  ShownText shown{text, ""};
  for (const std::string& stop : stops) {
    const size_t at = text.find(stop);
    if (at == std::string::npos) continue;
    const size_t end = at + stop.size();
    if (end > first_end || (end == first_end && stop.size() < shown.matched.size())) continue;
    first_end = end;
    shown = {text.substr(0, at), stop};
  }
  return shown;
}

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_REQUEST_STOP_REFERENCE_H_
