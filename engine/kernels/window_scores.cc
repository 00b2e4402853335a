#include "engine/kernels/window_scores.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>

#include <algorithm>

#include "engine/kernels/window_scores_cpu.h"

namespace windowkv {
namespace {

// Keys converted to float32 at a time: a product worth a thread, far less than a copy of the layer.
constexpr int64_t kKeysPerProduct = 1024;

}  // namespace

at::Tensor TokenScores(const at::Tensor& q, const at::Tensor& k, float scale) {
  const int64_t observation = q.size(0);
  const int64_t num_heads = q.size(1);
  const int64_t head_dim = q.size(2);
  const int64_t tokens = k.size(0);
  const int64_t num_kv_heads = k.size(1);
  const int64_t rows = num_heads / num_kv_heads * observation;  // per KV head
  // [num_kv_heads, group * observation, head_dim]
  const at::Tensor queries =
      q.to(at::kFloat).mul(scale).transpose(0, 1).reshape({num_kv_heads, rows, head_dim});
  at::Tensor logits = at::empty({num_kv_heads, rows, tokens}, queries.options());
  for (int64_t begin = 0; begin < tokens; begin += kKeysPerProduct) {
    const int64_t end = std::min(tokens, begin + kKeysPerProduct);
    const at::Tensor keys = k.slice(0, begin, end).to(at::kFloat).permute({1, 2, 0});
    logits.slice(2, begin, end).copy_(at::matmul(queries, keys));
  }
  at::Tensor scores = at::empty({num_heads, tokens - observation}, queries.options());
  SumAttentionCpu(logits.mutable_data_ptr<float>(), num_heads, observation, tokens,
                  scores.mutable_data_ptr<float>());
  return scores;
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
