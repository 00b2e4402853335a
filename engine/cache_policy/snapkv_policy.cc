#include <algorithm>

#include "engine/cache_policy/snapkv_selection.h"

// arXiv 2404.14469.

namespace windowkv {
namespace {

class SnapKv final : public SnapKvSelection {
 public:
  std::string_view name() const override { return "snapkv"; }
  CacheOptionSet options() const override {
    return kBudgetOptions | CacheOptionSet{CacheOption::kObservationTokens};
  }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return EqualBudgets(std::min(config.budget_tokens, prompt_tokens), num_layers, 1);
  }
};

}  // namespace

const Policy& SnapKvPolicy() {
  static const SnapKv policy;
  return policy;
}

}  // namespace windowkv
