#ifndef WINDOWKV_ENGINE_KERNELS_ROW_LINEAR_MMA_H_
#define WINDOWKV_ENGINE_KERNELS_ROW_LINEAR_MMA_H_

#include <ATen/core/Tensor.h>

#include "engine/kernels/row_linear.h"

namespace windowkv {

constexpr int kRowLinearMmaRows = 8;  // of x, at most

// Whether RowLinearMma takes these operands: bfloat16, few enough rows, whole 64-byte pieces of
// rows.
bool HasRowLinearMma(const at::Tensor& x, const at::Tensor& weight);

// RowLinear by matrix instructions, for a weight that is read once and rows that are few: it takes
// as long as the memory does to bring the weight. A row's result does not depend on the others.
// With `swiglu` the weight is gate and up, one below the other, and out = silu(gate) * up.
void RowLinearMma(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  Accumulate accumulate, bool swiglu, at::Tensor& out);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ROW_LINEAR_MMA_H_
