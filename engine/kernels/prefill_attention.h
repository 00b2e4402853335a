#ifndef WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_
#define WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace windowkv {

// Of some query heads.
struct AttentionOutput {
  at::Tensor values;     // [tokens, heads, head_dim], strided
  at::Tensor logsumexp;  // [heads, tokens] float32, strided: log of each softmax's denominator
};

// Causal attention of query heads [head_begin, head_end) over a whole prompt, dense. A head's
// result does not depend on which others are computed with it.
//   q: [tokens, num_heads, head_dim]; k, v: [tokens, num_kv_heads, head_dim]
//   Last dimension contiguous, others strided; float32 or bfloat16.
AttentionOutput PrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 int64_t head_begin, int64_t head_end, float scale);

// The same for the prompt's last token only: [1, num_heads, head_dim] from q of that shape.
at::Tensor LastTokenAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              float scale);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_
