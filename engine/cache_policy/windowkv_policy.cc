#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/window_selection.h"
#include "engine/kernels/window_scores.h"

// arXiv 2503.17922.

namespace windowkv {
namespace {

class WindowKv final : public Policy {
 public:
  std::string_view name() const override { return "windowkv"; }
  CacheOptionSet options() const override {
    return kBudgetOptions |
           CacheOptionSet{CacheOption::kWindowSize,        CacheOption::kSharedLayers,
                          CacheOption::kObservationTokens, CacheOption::kBeta,
                          CacheOption::kStrategy,          CacheOption::kTaskMapping,
                          CacheOption::kAccounting};
  }
  int32_t default_observation_tokens(std::optional<Strategy> strategy) const override {
    return strategy == Strategy::kMean ? 16 : 32;
  }
  // The paper's 14 goes with 8 shared layers: the last group keeps 57 % of the mean. Other numbers
  // of shared layers get the same share, rounded down.
  int32_t default_beta(int32_t shared_layers) const override {
    return (14 * shared_layers + 7) / 8;
  }
  ObservedQueries observed() const override { return ObservedQueries::kLast; }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return PyramidBudgets(config, config.shared_layers, num_layers, prompt_tokens);
  }

  bool MustSelect(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const override {
    return MustSelectWindows(config, budget, prompt_tokens);
  }
  int32_t MaxKept(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) const override {
    return MaxWindowTokens(config, budget, prompt_tokens);
  }

  ObservedScores Observe(const CacheConfig& config,
                         const LayerAttention& attention) const override {
    const auto reduction =
        config.strategy == Strategy::kMean ? WindowReduction::kMean : WindowReduction::kTopHalfMean;
    return {WindowScores(TokenScores(attention.last_q, attention.k, attention.scale),
                         config.window_size, reduction)};
  }

 private:
  WindowTopK Choose(const CacheConfig& config, int32_t budget,
                    int32_t prompt_tokens) const override {
    return ChooseWindows(config, budget, prompt_tokens);
  }
};

}  // namespace

const Policy& WindowKvPolicy() {
  static const WindowKv policy;
  return policy;
}

}  // namespace windowkv
