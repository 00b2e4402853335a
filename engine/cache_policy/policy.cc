#include "engine/cache_policy/policy.h"

#include <algorithm>

namespace windowkv {

bool Policy::MustSelect(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const {
  return prompt_tokens > budget;
}

int32_t Policy::MaxKept(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const {
  return std::min(budget, prompt_tokens);
}

Scores Policy::Observe(const CacheConfig& config, const LayerAttention& attention) const {
  return {};
}

KeptTokens Policy::Select(const CacheConfig& config, int32_t budget, int32_t prompt_tokens,
                          const Scores& scores) const {
  if (!MustSelect(config, budget, prompt_tokens)) return {{{{0, prompt_tokens}}}};
  return Choose(config, budget, prompt_tokens, scores);
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
