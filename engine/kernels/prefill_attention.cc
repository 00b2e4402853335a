#include "engine/kernels/prefill_attention.h"

#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>

#include <algorithm>
#include <tuple>

namespace windowkv {
namespace {

// [tokens, heads, head_dim] as LibTorch's [1, heads, tokens, head_dim].
at::Tensor HeadsFirst(const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); }

// One KV head with the query heads [begin, end) that read it.
void AttendKvHead(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t kv_head,
                  int64_t begin, int64_t end, bool causal, float scale, at::Tensor& out) {
  const at::Tensor result = std::get<0>(at::_scaled_dot_product_flash_attention_for_cpu(
      HeadsFirst(q.slice(1, begin, end)), HeadsFirst(k.slice(1, kv_head, kv_head + 1)),
      HeadsFirst(v.slice(1, kv_head, kv_head + 1)), /*dropout_p=*/0.0, causal,
      /*attn_mask=*/std::nullopt, scale));
  out.slice(1, begin, end).copy_(result.squeeze(0).transpose(0, 1));
}

void AttendHeads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t head_begin,
                 int64_t head_end, bool causal, float scale, at::Tensor& out) {
  const int64_t group = q.size(1) / k.size(1);
  for (int64_t head = head_begin; head < head_end;) {
    const int64_t kv_head = head / group;
    const int64_t end = std::min(head_end, (kv_head + 1) * group);
    AttendKvHead(q, k, v, kv_head, head, end, causal, scale, out);
    head = end;
  }
}

}  // namespace

void PrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      int64_t head_begin, int64_t head_end, float scale, at::Tensor& out) {
  AttendHeads(q, k, v, head_begin, head_end, /*causal=*/true, scale, out);
}

void LastTokenAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                        at::Tensor& out) {
  AttendHeads(q, k, v, 0, q.size(1), /*causal=*/false, scale, out);
}

}  // namespace windowkv
