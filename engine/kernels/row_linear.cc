#include "engine/kernels/row_linear.h"

namespace windowkv {

void RowLinear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
               Accumulate accumulate, at::Tensor& out) {
  const auto run = x.is_cuda() ? &RowLinearCuda : &RowLinearCpu;
  run(x, weight, bias, accumulate, out);
}

}  // namespace windowkv
