#include <algorithm>

#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/token_selection.h"

// arXiv 2306.14048.

namespace windowkv {
namespace {

class H2o final : public Policy {
 public:
  std::string_view name() const override { return "h2o"; }
  CacheOptionSet options() const override { return kBudgetOptions; }
  ObservedQueries observed() const override { return ObservedQueries::kAll; }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return EqualBudgets(std::min(config.budget_tokens, prompt_tokens), num_layers, 1);
  }

  ObservedScores Observe(const CacheConfig& config,
                         const LayerAttention& attention) const override {
    return {AddHeads(attention.key_mass, attention.k.size(1))};
  }

 private:
  WindowTopK Choose(const CacheConfig& config, int32_t budget,
                    int32_t prompt_tokens) const override {
    const std::vector<TokenRange> always = AlwaysKept(config, prompt_tokens);
    const int32_t recent = (budget - CountTokens(always)) / 2;
    return ChooseTokens(WithMostRecent(always, recent, prompt_tokens), budget, prompt_tokens,
                        prompt_tokens);
  }
};

}  // namespace

const Policy& H2oPolicy() {
  static const H2o policy;
  return policy;
}

}  // namespace windowkv
