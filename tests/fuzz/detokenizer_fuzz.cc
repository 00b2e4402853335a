#include <string>
#include <vector>

#include "tests/engine/text/listed_tokens.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/token_checks.h"

namespace windowkv {
namespace {

constexpr size_t kMaxTokens = 64;

}  // namespace

// A byte whose lowest bit says whether the first space is stripped; tokens as parts up to an empty
// one, the first of them special; then a byte for each id, which may be none of them.
absl::Status FuzzDetokenizer(std::string_view input) {
  FuzzInput parts(input);
  const bool strips = (parts.Byte() & 1) != 0;
  std::vector<std::string> tokens;
  while (tokens.size() < kMaxTokens) {
    const std::string_view token = parts.Part();
    if (token.empty()) break;
    tokens.emplace_back(token);
  }
  std::vector<int32_t> ids;
  for (const char byte : parts.Rest()) ids.push_back(static_cast<signed char>(byte));
  return CheckStreaming(ListedTokens(tokens, strips), ids);
}

}  // namespace windowkv
