#ifndef WINDOWKV_TESTS_TESTING_POLICY_GOLDEN_H_
#define WINDOWKV_TESTS_TESTING_POLICY_GOLDEN_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/token_ranges.h"
#include "tests/testing/golden_file.h"

namespace windowkv::testing {

// The `options` of a case of policy_selection.json or policy_decode.json, resolved as a request's.
inline absl::StatusOr<CacheConfig> ResolvePolicyOptions(const nlohmann::json& options,
                                                        int32_t num_layers, int32_t prompt_tokens) {
  static const auto& policies = *new std::map<std::string, CachePolicy>{
      {"STREAMING_LLM", CachePolicy::kStreamingLlm},
      {"SNAPKV", CachePolicy::kSnapKv},
      {"PYRAMIDKV", CachePolicy::kPyramidKv},
      {"H2O", CachePolicy::kH2o},
  };
  CacheOptions asked;
  asked.policy = policies.at(options["policy"].get<std::string>());
  asked.budget = BudgetTokens{options["budget_tokens"].get<int32_t>()};
  asked.sink_tokens = options["sink_tokens"].get<int32_t>();
  if (options.contains("observation_tokens")) {
    asked.observation_tokens = options["observation_tokens"].get<int32_t>();
  }
  if (options.contains("beta")) asked.beta = options["beta"].get<int32_t>();
  CacheRules rules;
  rules.shape = {
      .num_layers = num_layers, .context_length = 16384, .bytes_per_token = 64, .block_size = 16};
  return ResolveCacheOptions(asked, rules, Task::kLocalization, prompt_tokens,
                             Joined(ToRanges(options["pinned"])));
}

// One list of ranges per KV head; a golden or a selection may give one for all.
inline std::vector<std::vector<TokenRange>> ForEachHead(std::vector<std::vector<TokenRange>> heads,
                                                        size_t num_kv_heads) {
  if (heads.size() == 1) heads.resize(num_kv_heads, std::vector<TokenRange>(heads.front()));
  return heads;
}

inline std::vector<std::vector<TokenRange>> ToHeadRanges(const nlohmann::json& heads,
                                                         size_t num_kv_heads) {
  std::vector<std::vector<TokenRange>> ranges;
  for (const nlohmann::json& head : heads) ranges.push_back(ToRanges(head));
  return ForEachHead(std::move(ranges), num_kv_heads);
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_POLICY_GOLDEN_H_
