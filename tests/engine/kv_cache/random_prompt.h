#ifndef WINDOWKV_TESTS_ENGINE_KV_CACHE_RANDOM_PROMPT_H_
#define WINDOWKV_TESTS_ENGINE_KV_CACHE_RANDOM_PROMPT_H_

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "engine/kv_cache/cache_config.h"

namespace windowkv {

inline void PrintTo(const TokenRange& range, std::ostream* out) {
  *out << "[" << range.begin << ", " << range.end << ")";
}

namespace testing {

// A prompt, a model depth and options that ResolveCacheOptions accepts for them.
struct RandomPrompt {
  int32_t num_layers = 0;
  int32_t prompt_tokens = 0;
  CacheConfig config;

  std::string Describe() const {
    return "layers " + std::to_string(num_layers) + ", prompt " + std::to_string(prompt_tokens) +
           ", budget " + std::to_string(config.budget_tokens) + ", window " +
           std::to_string(config.window_size) + ", shared " + std::to_string(config.shared_layers) +
           ", beta " + std::to_string(config.beta) + ", observation " +
           std::to_string(config.observation_tokens) + ", sink " +
           std::to_string(config.sink_tokens) + ", pinned " + std::to_string(config.pinned.size());
  }
};

inline int32_t Uniform(std::mt19937& random, int32_t low, int32_t high) {
  return low + static_cast<int32_t>(random() % static_cast<uint32_t>(high - low + 1));
}

inline RandomPrompt DrawPrompt(std::mt19937& random, BudgetAccounting accounting) {
  const CacheShape shape{.num_layers = Uniform(random, 1, 12),
                         .context_length = 1024,
                         .bytes_per_token = 64,
                         .block_size = 16};
  for (;;) {
    // Short prompts come up often enough to be shorter than window, observation and budget.
    const int32_t tokens = Uniform(random, 1, random() % 3 == 0 ? 40 : 1000);
    CacheOptions options;
    options.policy = CachePolicy::kWindowKv;
    options.accounting = accounting;
    options.budget = BudgetTokens{Uniform(random, 1, random() % 2 == 0 ? 100 : 600)};
    options.window_size = Uniform(random, 1, 64);
    options.shared_layers = Uniform(random, 1, shape.num_layers);
    options.observation_tokens = Uniform(random, 1, 64);
    options.beta = Uniform(random, 1, 20);
    if (accounting == BudgetAccounting::kTotal) {
      options.sink_tokens = Uniform(random, 0, 8);
      for (int32_t at = 0; random() % 2 == 0;) {
        const int32_t begin = at + Uniform(random, 0, 100);
        at = begin + Uniform(random, 1, 20);
        if (at > tokens) break;
        options.pinned.push_back({begin, at});
      }
    }
    const absl::StatusOr<CacheConfig> config =
        ResolveCacheOptions(options, CacheDefaults{}, shape, Task::kLocalization, tokens);
    if (config.ok()) return {shape.num_layers, tokens, *config};
  }
}

inline std::vector<float> DrawScores(std::mt19937& random, const CacheConfig& config,
                                     int32_t prompt_tokens) {
  const int32_t review = std::max(0, prompt_tokens - config.observation_tokens);
  std::vector<float> scores((review + config.window_size - 1) / config.window_size);
  for (float& score : scores) score = static_cast<float>(random() % 50);  // with ties
  return scores;
}

}  // namespace testing
}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_KV_CACHE_RANDOM_PROMPT_H_
