#ifndef WINDOWKV_TESTS_TESTING_WINDOW_KV_CONFIG_H_
#define WINDOWKV_TESTS_TESTING_WINDOW_KV_CONFIG_H_

#include <cstdint>

#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/policy.h"

namespace windowkv::testing {

// WINDOWKV as the server's defaults resolve it for questions about places in the text.
inline CacheConfig WindowKvConfig(int32_t budget_tokens, int32_t shared_layers) {
  CacheConfig config;
  config.policy = CachePolicy::kWindowKv;
  config.budget_tokens = budget_tokens;
  config.window_size = 8;
  config.shared_layers = shared_layers;
  config.observation_tokens = 16;
  config.beta = WindowKvPolicy().default_beta(shared_layers);
  config.strategy = Strategy::kMean;
  config.sink_tokens = 4;
  return config;
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_WINDOW_KV_CONFIG_H_
