#ifndef WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_H_
#define WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace windowkv {

// One sequence's cache in one layer: its block ids in order, and how many tokens they hold.
struct PagedSequence {
  const int32_t* blocks = nullptr;
  int32_t length = 0;  // at least 1
};

// Attention of one new token per sequence over its packed blocks; every cached byte is read once.
// A long cache is split into fixed parts whose softmaxes are merged afterwards, as in
// flash-decoding, so the work spreads over threads and a row does not depend on the batch.
//   q: [batch, >= num_heads * head_dim], rows strided, rotated; float32 or bfloat16
//   pool: [num_blocks, 2, num_kv_heads, block_size, head_dim], contiguous, same dtype
//   out: [batch, num_heads * head_dim], contiguous, same dtype
// Owns its workspace; one thread.
class PagedAttention {
 public:
  void Run(const at::Tensor& q, const at::Tensor& pool, const std::vector<PagedSequence>& sequences,
           int64_t num_heads, float scale, at::Tensor& out);

  // A part of one sequence for one KV head.
  struct Item {
    int32_t sequence = 0;
    int32_t kv_head = 0;
    int32_t begin = 0;  // tokens
    int32_t end = 0;
    int32_t num_parts = 1;  // of this sequence and head; the parts are neighbours
    int32_t part = 0;
  };

 private:
  std::vector<Item> items_;
  std::vector<float> partials_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_H_
