#include <algorithm>

#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/token_selection.h"

// arXiv 2404.14469.

namespace windowkv {
namespace {

class SnapKv final : public Policy {
 public:
  std::string_view name() const override { return "snapkv"; }
  CacheOptionSet options() const override {
    return kBudgetOptions | CacheOptionSet{CacheOption::kObservationTokens};
  }
  int32_t default_observation_tokens(std::optional<Strategy> strategy) const override { return 32; }
  ObservedQueries observed() const override { return ObservedQueries::kLast; }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return EqualBudgets(std::min(config.budget_tokens, prompt_tokens), num_layers, 1);
  }

  ObservedScores Observe(const CacheConfig& config,
                         const LayerAttention& attention) const override {
    return {PooledTokenScores(attention)};
  }

 private:
  WindowTopK Choose(const CacheConfig& config, int32_t budget,
                    int32_t prompt_tokens) const override {
    return ChooseReviewTokens(config, budget, prompt_tokens);
  }
};

}  // namespace

const Policy& SnapKvPolicy() {
  static const SnapKv policy;
  return policy;
}

}  // namespace windowkv
