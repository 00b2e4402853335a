#include "engine/cache_policy/always_kept.h"

#include <algorithm>
#include <utility>

namespace windowkv {

int32_t ObservationTokens(const CacheConfig& config, int32_t prompt_tokens) {
  return std::min(config.observation_tokens, prompt_tokens);
}

std::vector<TokenRange> AlwaysKept(const CacheConfig& config, int32_t prompt_tokens) {
  std::vector<TokenRange> ranges = config.pinned;
  ranges.push_back({0, std::min(config.sink_tokens, prompt_tokens)});
  ranges.push_back({prompt_tokens - ObservationTokens(config, prompt_tokens), prompt_tokens});
  return Joined(std::move(ranges));
}

}  // namespace windowkv
