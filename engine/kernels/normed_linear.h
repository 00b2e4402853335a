#ifndef WINDOWKV_ENGINE_KERNELS_NORMED_LINEAR_H_
#define WINDOWKV_ENGINE_KERNELS_NORMED_LINEAR_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// What begins either half of a layer in a decode step: RmsNorm, then RowLinear, then SwiGlu for the
// feed-forward half. Steps are one pass where the device has such a kernel, which then does not
// round what lies between them. Operands as those three describe them.

// out = rmsnorm(x) * weight^T + bias
void NormedRowLinear(const at::Tensor& x, const at::Tensor& norm, float eps,
                     const at::Tensor& weight, const at::Tensor& bias, at::Tensor& out);

// out = silu(gate) * up of gate_up = rmsnorm(x) * weight^T + bias
//   weight: [2 * intermediate_size, in_features]; out: [rows, intermediate_size]
void NormedRowSwiGlu(const at::Tensor& x, const at::Tensor& norm, float eps,
                     const at::Tensor& weight, const at::Tensor& bias, at::Tensor& out);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_NORMED_LINEAR_H_
