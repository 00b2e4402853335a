#include "engine/kernels/rms_norm.h"

namespace windowkv {

void RmsNorm(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out) {
  const auto run = x.is_cuda() ? &RmsNormCuda : &RmsNormCpu;
  run(x, weight, eps, out);
}

}  // namespace windowkv
