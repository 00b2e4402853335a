#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/token_selection.h"

namespace windowkv {
namespace {

class Full final : public Policy {
 public:
  std::string_view name() const override { return "full"; }
  CacheOptionSet options() const override { return {}; }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return EqualBudgets(prompt_tokens, num_layers, num_layers);
  }

 private:
  WindowTopK Choose(const CacheConfig& config, int32_t budget,
                    int32_t prompt_tokens) const override {
    return KeepOnly({{0, prompt_tokens}}, prompt_tokens);
  }
};

}  // namespace

const Policy& FullPolicy() {
  static const Full policy;
  return policy;
}

}  // namespace windowkv
