#ifndef WINDOWKV_TESTS_ENGINE_CACHE_POLICY_SMALL_MODEL_H_
#define WINDOWKV_TESTS_ENGINE_CACHE_POLICY_SMALL_MODEL_H_

#include "engine/cache_policy/cache_config.h"

namespace windowkv::testing {

// A model whose requests' cache options the tests check and resolve.
inline constexpr CacheShape kShape{
    .num_layers = 8, .context_length = 4096, .bytes_per_token = 256, .block_size = 16};

inline CacheOptions WindowKvOptions() {
  CacheOptions options;
  options.policy = CachePolicy::kWindowKv;
  return options;
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_CACHE_POLICY_SMALL_MODEL_H_
