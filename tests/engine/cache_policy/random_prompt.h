#ifndef WINDOWKV_TESTS_ENGINE_CACHE_POLICY_RANDOM_PROMPT_H_
#define WINDOWKV_TESTS_ENGINE_CACHE_POLICY_RANDOM_PROMPT_H_

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/read_kept.h"
#include "engine/kernels/top_windows.h"
#include "tests/testing/window_kv_config.h"

namespace windowkv {

inline bool operator==(const KeptTokens& kept, const std::vector<TokenRange>& ranges) {
  return kept.heads.size() == 1 && kept.heads[0] == ranges;
}

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

// For test suites over all policies.
inline std::vector<CachePolicy> EveryPolicy() {
  std::vector<CachePolicy> policies;
  for (const auto& [name, policy] : PoliciesByName()) policies.push_back(policy);
  return policies;
}
inline std::string PolicyTestName(const ::testing::TestParamInfo<CachePolicy>& info) {
  return std::string(PolicyOf(info.param).name());
}

// Options that the policy knows, each sometimes left open.
inline CacheOptions DrawOptions(std::mt19937& random, CachePolicy policy,
                                BudgetAccounting accounting, int32_t num_layers) {
  const CacheOptionSet known = PolicyOf(policy).options();
  const auto draw = [&](CacheOption option, int32_t low, int32_t high) {
    return known.contains(option) ? std::optional(Uniform(random, low, high)) : std::nullopt;
  };
  CacheOptions options;
  options.policy = policy;
  if (known.contains(CacheOption::kBudget)) {
    options.budget = BudgetTokens{Uniform(random, 1, random() % 2 == 0 ? 100 : 600)};
  }
  if (known.contains(CacheOption::kAccounting)) options.accounting = accounting;
  options.window_size = draw(CacheOption::kWindowSize, 1, 64);
  options.shared_layers = draw(CacheOption::kSharedLayers, 1, num_layers);
  options.observation_tokens = draw(CacheOption::kObservationTokens, 1, 64);
  options.beta = draw(CacheOption::kBeta, 1, 20);
  if (accounting == BudgetAccounting::kTotal) {
    options.sink_tokens = draw(CacheOption::kSinkTokens, 0, 8);
  }
  return options;
}

inline std::vector<TokenRange> DrawPinned(std::mt19937& random, int32_t prompt_tokens) {
  std::vector<TokenRange> pinned;
  for (int32_t at = 0; random() % 2 == 0;) {
    const int32_t begin = at + Uniform(random, 0, 100);
    at = begin + Uniform(random, 1, 20);
    if (at > prompt_tokens) break;
    pinned.push_back({begin, at});
  }
  return pinned;
}

inline RandomPrompt DrawPrompt(std::mt19937& random, CachePolicy policy,
                               BudgetAccounting accounting = BudgetAccounting::kTotal) {
  const CacheShape shape{.num_layers = Uniform(random, 1, 12),
                         .context_length = 1024,
                         .bytes_per_token = 64,
                         .block_size = 16};
  for (;;) {
    // Short prompts come up often enough to be shorter than window, observation and budget.
    const int32_t tokens = Uniform(random, 1, random() % 3 == 0 ? 40 : 1000);
    const CacheOptions options = DrawOptions(random, policy, accounting, shape.num_layers);
    std::vector<TokenRange> pinned;
    if (accounting == BudgetAccounting::kTotal) pinned = DrawPinned(random, tokens);
    const absl::StatusOr<CacheConfig> config =
        ResolveCacheOptions(options, {{}, {}, shape}, Task::kLocalization, tokens, pinned);
    if (config.ok()) return {shape.num_layers, tokens, *config};
  }
}

// What the policy could have observed, with ties: whole numbers.
inline at::Tensor DrawScores(std::mt19937& random, const CacheConfig& config, int32_t prompt_tokens,
                             int32_t num_kv_heads) {
  const ObservedQueries observed = PolicyOf(config.policy).observed();
  if (observed == ObservedQueries::kNone) return NoScores(at::kCPU);
  int32_t rows = num_kv_heads;
  int32_t columns = prompt_tokens;
  if (observed == ObservedQueries::kLast) {
    columns = std::max(0, prompt_tokens - config.observation_tokens);
  }
  if (config.window_size > 0) {
    columns = (columns + config.window_size - 1) / config.window_size;
    rows = 1;
  }
  at::Tensor scores = at::empty({rows, columns}, at::TensorOptions().dtype(at::kFloat));
  for (int64_t i = 0; i < scores.numel(); ++i) {
    scores.mutable_data_ptr<float>()[i] = static_cast<float>(random() % 50);
  }
  return scores;
}

// What the config's policy selects by `scores`, which are not looked at when it need not.
inline KeptTokens Selected(const CacheConfig& config, int32_t budget, int32_t prompt_tokens,
                           const at::Tensor& scores) {
  const Policy& policy = PolicyOf(config.policy);
  const bool must_select = policy.MustSelect(config, budget, prompt_tokens);
  return ReadKept({policy.Select(config, budget, prompt_tokens,
                                 {must_select ? scores : NoScores(scores.device())})})
      .front();
}

}  // namespace testing
}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_CACHE_POLICY_RANDOM_PROMPT_H_
