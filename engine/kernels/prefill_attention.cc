#include "engine/kernels/prefill_attention.h"

#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>

namespace windowkv {
namespace {

// [tokens, heads, head_dim] as LibTorch's [1, heads, tokens, head_dim].
at::Tensor HeadsFirst(const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); }

// Whole groups of query heads, so that LibTorch shares out the heads evenly over its threads.
AttentionOutput AttendHeads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            int64_t head_begin, int64_t head_end, bool causal, float scale) {
  const int64_t group = q.size(1) / k.size(1);
  const int64_t kv_begin = head_begin / group;
  const int64_t kv_end = head_end / group;
  const auto [values, logsumexp] = at::_scaled_dot_product_flash_attention_for_cpu(
      HeadsFirst(q.slice(1, head_begin, head_end)), HeadsFirst(k.slice(1, kv_begin, kv_end)),
      HeadsFirst(v.slice(1, kv_begin, kv_end)), /*dropout_p=*/0.0, causal,
      /*attn_mask=*/std::nullopt, scale);
  return {values.squeeze(0).transpose(0, 1), logsumexp.squeeze(0)};
}

}  // namespace

AttentionOutput PrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 int64_t head_begin, int64_t head_end, float scale) {
  return AttendHeads(q, k, v, head_begin, head_end, /*causal=*/true, scale);
}

at::Tensor LastTokenAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              float scale) {
  return AttendHeads(q, k, v, 0, q.size(1), /*causal=*/false, scale).values;
}

}  // namespace windowkv
