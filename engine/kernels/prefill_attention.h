#ifndef WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_
#define WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace windowkv {

// Causal attention of query heads [head_begin, head_end) over a whole prompt, dense. A head's
// result does not depend on which others are computed with it.
//   q: [tokens, num_heads, head_dim]; k, v: [tokens, num_kv_heads, head_dim]; out: like q.
//   Last dimension contiguous, others strided; float32 or bfloat16.
void PrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      int64_t head_begin, int64_t head_end, float scale, at::Tensor& out);

// The same for the prompt's last token only. q, out: [1, num_heads, head_dim].
void LastTokenAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                        at::Tensor& out);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_
