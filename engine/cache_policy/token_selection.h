#ifndef WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_SELECTION_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_SELECTION_H_

#include <cstdint>
#include <vector>

#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/token_ranges.h"

// Selection of single tokens, for the policies that know no windows.

namespace windowkv {

// `ranges` and the `count` last tokens of the prompt that they do not hold (all, when there are no
// more), joined. Nothing is added for a negative count.
std::vector<TokenRange> WithMostRecent(const std::vector<TokenRange>& ranges, int32_t count,
                                       int32_t prompt_tokens);

// Per row of `scores`, one per KV head: `always` and the best other tokens, `budget` tokens in all.
// The lower index wins a tie; a score that is not a number loses to all others. Columns are the
// first tokens of the prompt; `always` holds every token after them.
KeptTokens SelectTokens(const std::vector<TokenRange>& always, int32_t budget,
                        const Scores& scores);

// SnapKV's scores (arXiv 2404.14469): the mass that the observation queries give each earlier
// token, added over the query heads of a KV head, then averaged over the token and its two
// neighbours on both sides (fewer at the ends, counted as 0).
Scores PooledTokenScores(const LayerAttention& attention);

// [num_heads, tokens] float32 added over the query heads of each KV head: the first `columns` of
// [num_kv_heads, columns].
Scores AddHeads(const float* head_scores, int32_t num_heads, int32_t tokens, int32_t num_kv_heads,
                int32_t columns);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_SELECTION_H_
