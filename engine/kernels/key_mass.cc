#include "engine/kernels/key_mass.h"

namespace windowkv {

void RowLogSumExp(const at::Tensor& q, const at::Tensor& k, float scale, at::Tensor& logsumexp) {
  const auto run = q.is_cuda() ? &RowLogSumExpCuda : &RowLogSumExpCpu;
  run(q, k, scale, logsumexp);
}

void KeyMass(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp, float scale,
             at::Tensor& mass) {
  const auto run = q.is_cuda() ? &KeyMassCuda : &KeyMassCpu;
  run(q, k, logsumexp, scale, mass);
}

}  // namespace windowkv
