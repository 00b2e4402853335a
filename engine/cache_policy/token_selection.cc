#include "engine/cache_policy/token_selection.h"

#include <ATen/ops/avg_pool1d.h>

#include <algorithm>
#include <utility>

#include "engine/cache_policy/always_kept.h"
#include "engine/kernels/window_scores.h"

namespace windowkv {
namespace {

constexpr int32_t kPoolingKernel = 5;  // tokens, odd

}  // namespace

std::vector<TokenRange> WithMostRecent(const std::vector<TokenRange>& ranges, int32_t count,
                                       int32_t prompt_tokens) {
  std::vector<TokenRange> all = ranges;
  int32_t end = prompt_tokens;
  for (auto range = ranges.rbegin(); count > 0; ++range) {
    const int32_t gap_begin = range == ranges.rend() ? 0 : range->end;
    const int32_t taken = std::min(count, end - gap_begin);
    all.push_back({end - taken, end});
    count -= taken;
    if (range == ranges.rend()) break;
    end = range->begin;
  }
  return Joined(std::move(all));
}

WindowTopK KeepOnly(const std::vector<TokenRange>& always, int32_t prompt_tokens) {
  WindowTopK wanted;
  wanted.tokens = prompt_tokens;
  wanted.always = always;
  return wanted;
}

WindowTopK ChooseTokens(const std::vector<TokenRange>& always, int32_t budget,
                        int32_t scored_tokens, int32_t prompt_tokens) {
  WindowTopK wanted = KeepOnly(always, prompt_tokens);
  wanted.scored_tokens = scored_tokens;
  wanted.budget = std::max(0, budget - CountTokens(always));
  return wanted;
}

WindowTopK ChooseReviewTokens(const CacheConfig& config, int32_t budget, int32_t prompt_tokens) {
  const int32_t review = prompt_tokens - ObservationTokens(config, prompt_tokens);
  return ChooseTokens(AlwaysKept(config, prompt_tokens), budget, review, prompt_tokens);
}

at::Tensor AddHeads(const at::Tensor& head_scores, int64_t num_kv_heads) {
  return head_scores.view({num_kv_heads, -1, head_scores.size(1)}).sum(1);
}

at::Tensor PooledTokenScores(const LayerAttention& attention) {
  const at::Tensor mass =
      AddHeads(TokenScores(attention.last_q, attention.k, attention.scale), attention.k.size(1));
  return at::avg_pool1d(mass, kPoolingKernel, /*stride=*/1, /*padding=*/kPoolingKernel / 2);
}

}  // namespace windowkv
