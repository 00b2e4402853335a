#ifndef WINDOWKV_ENGINE_KERNELS_ROPE_H_
#define WINDOWKV_ENGINE_KERNELS_ROPE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace windowkv {

// Where one row's key and value heads go: head h is at key + h * head_stride elements.
struct KvRow {
  void* key = nullptr;
  void* value = nullptr;
};

// Rotates the query heads of each row (arXiv 2104.09864, halves paired) into `q_out`, and stores
// the rotated keys and the values. One pass over the output of the fused projection.
//   qkv: [rows, (num_heads + 2 * num_kv_heads) * head_dim], rows contiguous, float32 or bfloat16
//   cos_sin: [context_length, head_dim] float32, the cosines in the first half of a row
//   positions: `rows` absolute positions
//   q_out: [rows, num_heads * head_dim], rows strided, same dtype; may be the first columns of qkv
//   targets: `rows` places of the same dtype, head_stride elements between heads
// num_heads or num_kv_heads may be 0: then q_out or targets is not touched.
void RopeAndStore(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
                  int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
                  const std::vector<KvRow>& targets, int64_t head_stride);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ROPE_H_
