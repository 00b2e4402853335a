#ifndef WINDOWKV_ENGINE_CACHE_POLICY_ALWAYS_KEPT_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_ALWAYS_KEPT_H_

#include <cstdint>
#include <vector>

#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/token_ranges.h"

namespace windowkv {

// Observation tokens of a prompt that may be shorter than the observation window.
int32_t ObservationTokens(const CacheConfig& config, int32_t prompt_tokens);

// Prompt tokens kept whatever their score: sink, pinned spans and the observation window; sorted,
// not touching.
std::vector<TokenRange> AlwaysKept(const CacheConfig& config, int32_t prompt_tokens);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_ALWAYS_KEPT_H_
