#include <algorithm>
#include <utility>

#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/token_selection.h"

// arXiv 2309.17453.

namespace windowkv {
namespace {

class StreamingLlm final : public Policy {
 public:
  std::string_view name() const override { return "streaming_llm"; }
  CacheOptionSet options() const override { return kBudgetOptions; }

  std::vector<LayerGroup> Plan(const CacheConfig& config, int32_t num_layers,
                               int32_t prompt_tokens) const override {
    return EqualBudgets(std::min(config.budget_tokens, prompt_tokens), num_layers, num_layers);
  }

 private:
  WindowTopK Choose(const CacheConfig& config, int32_t budget,
                    int32_t prompt_tokens) const override {
    const std::vector<TokenRange> always = AlwaysKept(config, prompt_tokens);
    return KeepOnly(WithMostRecent(always, budget - CountTokens(always), prompt_tokens),
                    prompt_tokens);
  }
};

}  // namespace

const Policy& StreamingLlmPolicy() {
  static const StreamingLlm policy;
  return policy;
}

}  // namespace windowkv
