#include "engine/cache_policy/snapkv_selection.h"

// arXiv 2406.02069.

namespace windowkv {
namespace {

class PyramidKv final : public SnapKvSelection {
 public:
  std::string_view name() const override { return "pyramidkv"; }
  CacheOptionSet options() const override {
    return kBudgetOptions | CacheOptionSet{CacheOption::kObservationTokens, CacheOption::kBeta};
  }
  int32_t default_beta(int32_t shared_layers) const override { return 20; }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return PyramidBudgets(config, /*shared_layers=*/1, num_layers, prompt_tokens);
  }
};

}  // namespace

const Policy& PyramidKvPolicy() {
  static const PyramidKv policy;
  return policy;
}

}  // namespace windowkv
