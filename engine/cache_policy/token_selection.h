#ifndef WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_SELECTION_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_SELECTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/token_ranges.h"
#include "engine/kernels/top_windows.h"

// Selection of single tokens, for the policies that know no windows.

namespace windowkv {

// `ranges` and the `count` last tokens of the prompt that they do not hold (all, when there are no
// more), joined. Nothing is added for a negative count.
std::vector<TokenRange> WithMostRecent(const std::vector<TokenRange>& ranges, int32_t count,
                                       int32_t prompt_tokens);

// `always` alone, of a prompt.
WindowTopK KeepOnly(const std::vector<TokenRange>& always, int32_t prompt_tokens);

// `always` and the best other tokens of each row of scores, `budget` tokens in all. Scored are the
// prompt's first tokens; `always` holds every token after them.
WindowTopK ChooseTokens(const std::vector<TokenRange>& always, int32_t budget,
                        int32_t scored_tokens, int32_t prompt_tokens);

// The same where scores are of the tokens before the observation window.
WindowTopK ChooseReviewTokens(const CacheConfig& config, int32_t budget, int32_t prompt_tokens);

// SnapKV's scores (arXiv 2404.14469): the mass that the observation queries give each earlier
// token, added over the query heads of a KV head, then averaged over the token and its two
// neighbours on both sides (fewer at the ends, counted as 0).
at::Tensor PooledTokenScores(const LayerAttention& attention);

// [num_heads, tokens] added over the query heads of each KV head: [num_kv_heads, tokens].
at::Tensor AddHeads(const at::Tensor& head_scores, int64_t num_kv_heads);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_SELECTION_H_
