#include <string>
#include <vector>

#include "engine/request/stop_checker.h"
#include "tests/engine/request/stop_reference.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"

namespace windowkv {
namespace {

constexpr size_t kMaxStops = 16;

// As the engine promises: up to 16 strings, none empty.
std::vector<std::string> Stops(std::string_view lines) {
  std::vector<std::string> stops;
  while (!lines.empty() && stops.size() < kMaxStops) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (!line.empty()) stops.emplace_back(line);
  }
  return stops;
}

// Piece lengths follow the bytes of `cuts`, over and over.
std::vector<std::string> Pieces(std::string_view text, std::string_view cuts) {
  std::vector<std::string> pieces;
  for (size_t i = 0; !text.empty(); ++i) {
    const size_t length =
        cuts.empty() ? text.size() : 1 + static_cast<uint8_t>(cuts[i % cuts.size()]) % 16;
    pieces.emplace_back(text.substr(0, length));
    text.remove_prefix(std::min(text.size(), length));
  }
  return pieces;
}

}  // namespace

// Parts: stop strings, one a line; how to cut; the text.
absl::Status FuzzStopChecker(std::string_view input) {
  FuzzInput parts(input);
  const std::vector<std::string> stops = Stops(parts.Part());
  const std::string_view cuts = parts.Part();
  const std::string text(parts.Rest());
  const ShownText expected = ShownAtOnce(stops, text);
  for (const auto& pieces :
       {Pieces(text, cuts), Pieces(text, ""), Pieces(text, std::string_view("\0", 1))}) {
    const ShownText shown = ShowInPieces(stops, pieces);
    if (shown.text != expected.text) return Broken("the text shown does not depend on the cuts");
    if (shown.matched != expected.matched)
      return Broken("the stop found does not depend on the cuts");
  }
  return absl::OkStatus();
}

}  // namespace windowkv
