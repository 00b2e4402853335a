#ifndef WINDOWKV_ENGINE_CACHE_POLICY_WINDOW_SELECTION_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_WINDOW_SELECTION_H_

#include <cstdint>

#include "engine/cache_policy/cache_config.h"
#include "engine/kernels/top_windows.h"

namespace windowkv {

// Whether a layer with this group budget drops anything, so that its leader must score windows.
bool MustSelectWindows(const CacheConfig& config, int32_t group_budget, int32_t prompt_tokens);

// The most tokens that are kept, whatever the scores; what admission counts with.
int32_t MaxWindowTokens(const CacheConfig& config, int32_t group_budget, int32_t prompt_tokens);

// What each layer of a group keeps of the leader's window scores (arXiv 2503.17922, section 3.2),
// when it must select.
//
// Windows of config.window_size tokens tile the review context from its start. TOTAL: after the
// tokens that are always kept, windows are taken by falling score until one does not fit into what
// the budget leaves; tokens kept already cost nothing. REVIEW_ONLY: the authors' count, all windows
// but the ceil((review tokens - budget) / window_size) lowest, and none when those would be all.
WindowTopK ChooseWindows(const CacheConfig& config, int32_t group_budget, int32_t prompt_tokens);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_WINDOW_SELECTION_H_
