#include "engine/kernels/window_scores.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "engine/kernels/key_mass.h"
#include "engine/kernels/window_scores_cpu.h"

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

std::vector<float> WindowScores(const at::Tensor& token_scores, int32_t window_size,
                                WindowReduction reduction) {
  const int64_t num_heads = token_scores.size(0);
  const int64_t tokens = token_scores.size(1);
  std::vector<float> scores((tokens + window_size - 1) / window_size);
  ReduceWindowsCpu(token_scores.const_data_ptr<float>(), num_heads, tokens, window_size, reduction,
                   scores.data());
  return scores;
}

}  // namespace windowkv
