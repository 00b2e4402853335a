#ifndef WINDOWKV_ENGINE_KERNELS_ROW_LINEAR_H_
#define WINDOWKV_ENGINE_KERNELS_ROW_LINEAR_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// What happens to an output that already holds something.
enum class Accumulate { kNo, kYes };

// out = x * weight^T (+ bias) (+ out) for the few rows of a decode step. Each row's result depends
// on that row alone, whatever the number of rows (a matrix product of a library picks another
// summation order for another shape), so a sequence decodes the same in any batch. Sums in float32.
//   x: [rows, in_features]; weight: [out_features, in_features]; bias: [out_features] of the
//   same dtype, float32 or bfloat16, undefined for none; out: [rows, out_features] of that dtype,
//   or float32. Rows contiguous.
void RowLinear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
               Accumulate accumulate, at::Tensor& out);

// The same on one kind of device.
void RowLinearCpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  Accumulate accumulate, at::Tensor& out);
void RowLinearCuda(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                   Accumulate accumulate, at::Tensor& out);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ROW_LINEAR_H_
