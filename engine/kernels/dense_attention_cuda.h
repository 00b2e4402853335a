#ifndef WINDOWKV_ENGINE_KERNELS_DENSE_ATTENTION_CUDA_H_
#define WINDOWKV_ENGINE_KERNELS_DENSE_ATTENTION_CUDA_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// Attention written out by a library's products, the heads of one KV head at a time, for what has
// no kernel of its own on CUDA: float32, which serves to check, and odd head sizes. As
// PrefillAttention, RowLogSumExp and KeyMass.
void DensePrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           float scale, at::Tensor& out, at::Tensor* logsumexp);
void DenseRowLogSumExp(const at::Tensor& q, const at::Tensor& k, float scale,
                       at::Tensor& logsumexp);
void DenseKeyMass(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp,
                  float scale, at::Tensor& mass);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_DENSE_ATTENTION_CUDA_H_
