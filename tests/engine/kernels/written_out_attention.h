#ifndef WINDOWKV_TESTS_ENGINE_KERNELS_WRITTEN_OUT_ATTENTION_H_
#define WINDOWKV_TESTS_ENGINE_KERNELS_WRITTEN_OUT_ATTENTION_H_

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>

#include <cstdint>
#include <limits>

#include "tests/engine/kernels/one_thread.h"

namespace windowkv {

// The causal logits of a prompt's last queries, [num_heads, rows, tokens] float64: -inf where a row
// does not see a key.
inline at::Tensor CausalLogits(const at::Tensor& q, const at::Tensor& k, double scale) {
  const OneThread one_thread;
  const int64_t rows = q.size(0);
  const int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys =
      k.to(at::kDouble).transpose(0, 1).repeat_interleave(group, 0).transpose(1, 2);
  const at::Tensor future =
      at::ones({rows, k.size(0)}, k.options().dtype(at::kBool)).triu(k.size(0) - rows + 1);
  return (q.to(at::kDouble).transpose(0, 1).matmul(keys) * scale)
      .masked_fill(future, -std::numeric_limits<double>::infinity());
}

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_KERNELS_WRITTEN_OUT_ATTENTION_H_
