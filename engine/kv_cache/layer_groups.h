#ifndef WINDOWKV_ENGINE_KV_CACHE_LAYER_GROUPS_H_
#define WINDOWKV_ENGINE_KV_CACHE_LAYER_GROUPS_H_

#include <cstdint>
#include <vector>

#include "engine/kv_cache/cache_config.h"

namespace windowkv {

// Consecutive layers that share one selection. The first is the leader, which scores.
struct LayerGroup {
  int32_t first_layer = 0;
  int32_t num_layers = 0;
  // What each layer may keep: prompt tokens under TOTAL, review tokens under REVIEW_ONLY.
  int32_t budget_tokens = 0;
};

// Divides the layers into groups of config.shared_layers (the last may be short) and the budget
// into a pyramid over them (arXiv 2503.17922, section 3.3): lower layers get more.
//
// REVIEW_ONLY takes the authors' integer arithmetic as it is, with the last group's share at most
// the mean. TOTAL gives each layer the tokens that are always kept and shares out the rest as a
// pyramid, so that small last groups keep windows too; then it levels what does not come out even,
// first the top down and then the foot up, so that the sum over layers stays within budget_tokens *
// num_layers and as near to it as whole tokens per layer allow. Budgets never increase with depth
// and never exceed prompt_tokens. `config` has been checked: its budget holds what is always kept.
std::vector<LayerGroup> PlanLayerGroups(const CacheConfig& config, int32_t num_layers,
                                        int32_t prompt_tokens);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_LAYER_GROUPS_H_
