#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>

#include <tuple>

#include "engine/kernels/dense_attention_cuda.h"
#include "engine/kernels/merge_attention_cuda.h"
#include "engine/kernels/prefill_attention.h"

namespace windowkv {
namespace {

PartialAttention Cudnn(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                       bool is_causal) {
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  const auto result = at::_scaled_dot_product_cudnn_attention(
      heads_first(q), heads_first(k), heads_first(v), /*attn_bias=*/{},
      /*compute_log_sumexp=*/true, /*dropout_p=*/0.0, is_causal, /*return_debug_mask=*/false,
      scale);
  return {std::get<0>(result)[0].transpose(0, 1),
          std::get<1>(result).reshape({q.size(1), q.size(0)})};
}

// cuDNN's kernels take twice as much out of the matrix units as FlashAttention 2, but align a
// causal mask at the first key: the rows' own keys and the ones before them are two calls, whose
// softmaxes are merged.
void InTwoParts(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                at::Tensor& out, at::Tensor* logsumexp) {
  const int64_t before = k.size(0) - q.size(0);
  PartialAttention own = Cudnn(q, k.slice(0, before), v.slice(0, before), scale, true);
  if (before > 0) {
    MergeAttentionCuda(Cudnn(q, k.slice(0, 0, before), v.slice(0, 0, before), scale, false), own,
                       logsumexp);
  } else if (logsumexp != nullptr) {
    logsumexp->copy_(own.logsumexp);
  }
  out = own.values;
}

// A few rows are not worth two calls. Its causal mask is aligned at the last query and key.
void Flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
           at::Tensor& out, at::Tensor* logsumexp) {
  const auto result = at::_flash_attention_forward(
      q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), /*cum_seq_q=*/{}, /*cum_seq_k=*/{}, q.size(0),
      k.size(0), /*dropout_p=*/0.0, /*is_causal=*/true, /*return_debug_mask=*/false, scale);
  out = std::get<0>(result)[0];
  if (logsumexp != nullptr) logsumexp->copy_(std::get<1>(result)[0]);
}

}  // namespace

void PrefillAttentionCuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          float scale, at::Tensor& out, at::Tensor* logsumexp) {
  // Both libraries take bfloat16 with heads in multiples of eight, cuDNN up to 128.
  constexpr int64_t kManyRows = 128;
  const int64_t head_dim = q.size(2);
  if (q.scalar_type() != at::kBFloat16 || head_dim % 8 != 0 || head_dim > 256) {
    return DensePrefillAttention(q, k, v, scale, out, logsumexp);
  }
  if (q.size(0) >= kManyRows && head_dim <= 128) {
    return InTwoParts(q, k, v, scale, out, logsumexp);
  }
  Flash(q, k, v, scale, out, logsumexp);
}

}  // namespace windowkv
