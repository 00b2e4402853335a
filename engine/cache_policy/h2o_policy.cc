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

  Scores Observe(const CacheConfig& config, const LayerAttention& attention) const override {
    const auto tokens = static_cast<int32_t>(attention.key_mass.size(1));
    const at::Tensor mass = attention.key_mass.to(at::kCPU);
    return AddHeads(mass.const_data_ptr<float>(), static_cast<int32_t>(mass.size(0)), tokens,
                    static_cast<int32_t>(attention.k.size(1)), tokens);
  }

 private:
  KeptTokens Choose(const CacheConfig& config, int32_t budget, int32_t prompt_tokens,
                    const Scores& scores) const override {
    const std::vector<TokenRange> always = AlwaysKept(config, prompt_tokens);
    const int32_t recent = (budget - CountTokens(always)) / 2;
    return SelectTokens(WithMostRecent(always, recent, prompt_tokens), budget, scores);
  }
};

}  // namespace

const Policy& H2oPolicy() {
  static const H2o policy;
  return policy;
}

}  // namespace windowkv
