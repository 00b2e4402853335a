#ifndef WINDOWKV_ENGINE_CACHE_POLICY_SNAPKV_SELECTION_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_SNAPKV_SELECTION_H_

#include <cstdint>
#include <optional>

#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/token_selection.h"

namespace windowkv {

// What SnapKV (arXiv 2404.14469) keeps of a layer's budget, for each head: the tokens that the last
// queries look at, pooled over their neighbours. PyramidKV (arXiv 2406.02069) selects the same way;
// the two differ in how they share out budgets.
class SnapKvSelection : public Policy {
 public:
  int32_t default_observation_tokens(std::optional<Strategy> strategy) const override { return 32; }
  ObservedQueries observed() const override { return ObservedQueries::kLast; }

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

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_SNAPKV_SELECTION_H_
