#include "engine/cache_policy/policy.h"

#include <algorithm>

#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/token_selection.h"
#include "engine/kernels/top_windows.h"

namespace windowkv {

bool Policy::MustSelect(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const {
  return prompt_tokens > budget;
}

int32_t Policy::MaxKept(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const {
  return std::min(budget, prompt_tokens);
}

ObservedScores Policy::Observe(const CacheConfig& config, const LayerAttention& attention) const {
  return {NoScores(attention.k.device())};
}

KeptPositions Policy::Select(const CacheConfig& config, int32_t budget, int32_t prompt_tokens,
                             const ObservedScores& scores) const {
  WindowTopK wanted = MustSelect(config, budget, prompt_tokens)
                          ? Choose(config, budget, prompt_tokens)
                          : KeepOnly({{0, prompt_tokens}}, prompt_tokens);
  wanted.capacity = MaxKept(config, budget, prompt_tokens);
  return TopWindows(wanted, scores.values);
}

std::vector<const Policy*> AllPolicies() {
  return {&FullPolicy(),   &WindowKvPolicy(),  &StreamingLlmPolicy(),
          &SnapKvPolicy(), &PyramidKvPolicy(), &H2oPolicy()};
}

std::map<std::string, CachePolicy> PoliciesByName() {
  std::map<std::string, CachePolicy> policies;
  int32_t index = 0;
  for (const Policy* policy : AllPolicies()) {
    policies.emplace(policy->name(), static_cast<CachePolicy>(index++));
  }
  return policies;
}

const Policy& PolicyOf(CachePolicy policy) {
  static const std::vector<const Policy*> policies = AllPolicies();
  return *policies[static_cast<size_t>(policy)];
}

}  // namespace windowkv
