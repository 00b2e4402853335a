#include "engine/kernels/normed_linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "engine/kernels/rms_norm.h"
#include "engine/kernels/row_linear.h"
#include "engine/kernels/row_linear_mma.h"
#include "engine/kernels/swiglu.h"

namespace windowkv {
namespace {

at::Tensor Normed(const at::Tensor& x, const at::Tensor& norm, float eps) {
  at::Tensor normed = at::empty_like(x);
  RmsNorm(x, norm, eps, normed);
  return normed;
}

}  // namespace

void NormedRowLinear(const at::Tensor& x, const at::Tensor& norm, float eps,
                     const at::Tensor& weight, const at::Tensor& bias, at::Tensor& out) {
  RowLinear(Normed(x, norm, eps), weight, bias, Accumulate::kNo, out);
}

void NormedRowSwiGlu(const at::Tensor& x, const at::Tensor& norm, float eps,
                     const at::Tensor& weight, const at::Tensor& bias, at::Tensor& out) {
  const at::Tensor normed = Normed(x, norm, eps);
  if (x.is_cuda() && HasRowLinearMma(normed, weight)) {
    return RowLinearMma(normed, weight, bias, Accumulate::kNo, /*swiglu=*/true, out);
  }
  at::Tensor gate_up = at::empty({x.size(0), weight.size(0)}, x.options());
  RowLinear(normed, weight, bias, Accumulate::kNo, gate_up);
  SwiGlu(gate_up, out);
}

}  // namespace windowkv
