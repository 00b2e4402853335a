#ifndef WINDOWKV_ENGINE_CACHE_POLICY_LAYER_GROUPS_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_LAYER_GROUPS_H_

#include <cstdint>
#include <vector>

#include "engine/cache_policy/cache_config.h"

namespace windowkv {

// Consecutive layers that share one selection. The first is the leader, which scores.
struct LayerGroup {
  int32_t first_layer = 0;
  int32_t num_layers = 0;
  // What each layer may keep: prompt tokens under TOTAL, review tokens under REVIEW_ONLY.
  int32_t budget_tokens = 0;
};

// Groups of `shared_layers` layers (the last may be short), each with the same budget.
std::vector<LayerGroup> EqualBudgets(int32_t budget, int32_t num_layers, int32_t shared_layers);

// Divides the layers into groups of `shared_layers` (the last may be short) and the budget into a
// pyramid over them (arXiv 2503.17922, section 3.3; arXiv 2406.02069, section 3.2 with one layer
// each): lower layers get more.
//
// REVIEW_ONLY takes the authors' integer arithmetic as it is, with the last group's share at most
// the mean. TOTAL gives each layer the tokens that are always kept and shares out the rest as a
// pyramid, so that small last groups keep windows too; then it levels what does not come out even,
// first the top down and then the foot up, so that the sum over layers stays within budget_tokens *
// num_layers and as near to it as whole tokens per layer allow, and no layer's budget exceeds
// prompt_tokens. Budgets never increase with depth. Under REVIEW_ONLY a lower layer's may exceed
// the prompt, which that layer then keeps whole. `config` has been checked: its budget holds what
// is always kept.
std::vector<LayerGroup> PyramidBudgets(const CacheConfig& config, int32_t shared_layers,
                                       int32_t num_layers, int32_t prompt_tokens);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_LAYER_GROUPS_H_
