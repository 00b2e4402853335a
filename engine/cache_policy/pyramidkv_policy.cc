#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/token_selection.h"

// arXiv 2406.02069.

namespace windowkv {
namespace {

class PyramidKv final : public Policy {
 public:
  std::string_view name() const override { return "pyramidkv"; }
  CacheOptionSet options() const override {
    return kBudgetOptions | CacheOptionSet{CacheOption::kObservationTokens, CacheOption::kBeta};
  }
  int32_t default_observation_tokens(std::optional<Strategy> strategy) const override {
    return SnapKvPolicy().default_observation_tokens(strategy);
  }
  int32_t default_beta(int32_t shared_layers) const override { return 20; }
  ObservedQueries observed() const override { return SnapKvPolicy().observed(); }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return PyramidBudgets(config, /*shared_layers=*/1, num_layers, prompt_tokens);
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

const Policy& PyramidKvPolicy() {
  static const PyramidKv policy;
  return policy;
}

}  // namespace windowkv
