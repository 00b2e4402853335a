#include "engine/kernels/window_scores.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "engine/kernels/key_mass.h"

namespace windowkv {

at::Tensor TokenScores(const at::Tensor& q, const at::Tensor& k, float scale) {
  const int64_t num_heads = q.size(1);
  const auto options = q.options().dtype(at::kFloat);
  at::Tensor logsumexp = at::empty({num_heads, q.size(0)}, options);
  RowLogSumExp(q, k, scale, logsumexp);
  at::Tensor mass = at::zeros({num_heads, k.size(0) - q.size(0)}, options);
  KeyMass(q, k, logsumexp, scale, mass);
  return mass;
}

at::Tensor WindowScores(const at::Tensor& token_scores, int32_t window_size,
                        WindowReduction reduction) {
  const int64_t windows = (token_scores.size(1) + window_size - 1) / window_size;
  at::Tensor scores = at::empty({1, windows}, token_scores.options());
  const auto reduce = token_scores.is_cuda() ? &ReduceWindowsCuda : &ReduceWindowsCpu;
  reduce(token_scores, window_size, reduction, scores);
  return scores;
}

}  // namespace windowkv
