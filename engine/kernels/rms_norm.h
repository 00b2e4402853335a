#ifndef WINDOWKV_ENGINE_KERNELS_RMS_NORM_H_
#define WINDOWKV_ENGINE_KERNELS_RMS_NORM_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight, sums in float32 (arXiv 1910.07467).
// x, out: [rows, hidden_size], rows contiguous, float32 or bfloat16; weight: [hidden_size], same
// dtype.
void RmsNorm(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out);

// The same on one kind of device.
void RmsNormCpu(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out);
void RmsNormCuda(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_RMS_NORM_H_
