#ifndef WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_
#define WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// Causal attention of some rows of a prompt over all tokens up to them, dense (FlashAttention,
// arXiv 2205.14135: a running softmax over blocks of keys, so that the attention matrix never
// exists). Keys and values are read where they lie; beyond one block a thread keeps no copy of
// them. A row's result does not depend on the rows and heads computed with it.
//   q: [rows, num_heads, head_dim], the last `rows` of the `tokens` tokens, rotated: row r sees
//      tokens - rows + r + 1 of them
//   k, v: [tokens, num_kv_heads, head_dim]
//   out: as q, and may be q itself; a library that makes its own result replaces the tensor
//   logsumexp: [num_heads, rows] float32, contiguous: log of each softmax's denominator; null when
//      it is not wanted
// Last dimension contiguous, others strided; float32 or bfloat16, which rounds the softmax's
// weights before values are summed.
void PrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                      at::Tensor& out, at::Tensor* logsumexp = nullptr);

// The same on one kind of device.
void PrefillAttentionCpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                         at::Tensor& out, at::Tensor* logsumexp);
void PrefillAttentionCuda(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          float scale, at::Tensor& out, at::Tensor* logsumexp);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_H_
