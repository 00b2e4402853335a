#ifndef WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_H_
#define WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/kernels/paged_caches.h"

namespace windowkv {

// Attention of one new token per sequence over its packed blocks; every cached byte is read once.
// A long cache is split into parts whose softmaxes are merged afterwards, as in flash-decoding, so
// the work spreads over threads. A row does not depend on the batch, except for bfloat16 on CUDA,
// where a small batch is split into more parts.
//   q: [batch, >= num_heads * head_dim], rows strided, rotated; float32 or bfloat16
//   pool: [num_blocks, 2, num_kv_heads, block_size, head_dim], contiguous, same dtype
//   out: [batch, num_heads * head_dim], contiguous, same dtype; rows of length 0 are left alone
// Owns its workspace; one thread.
class PagedAttention {
 public:
  void Run(const at::Tensor& q, const at::Tensor& pool, const PagedCaches& caches,
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
  void RunCpu(const at::Tensor& q, const at::Tensor& pool, const PagedCaches& caches,
              int64_t num_heads, float scale, at::Tensor& out);
  static void RunCuda(const at::Tensor& q, const at::Tensor& pool, const PagedCaches& caches,
                      int64_t num_heads, float scale, at::Tensor& out);

  // On the CPU.
  std::vector<Item> items_;
  std::vector<float> partials_;
};

// The most tokens of a cache on CUDA, in blocks of up to 1,024.
constexpr int32_t kPagedAttentionCudaTokens = 1 << 21;

// Whether Run can on CUDA: heads of up to 512 bytes, in multiples of sixteen.
bool HasPagedAttentionCuda(int64_t head_dim, at::ScalarType dtype);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_H_
