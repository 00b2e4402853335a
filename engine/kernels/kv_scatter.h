#ifndef WINDOWKV_ENGINE_KERNELS_KV_SCATTER_H_
#define WINDOWKV_ENGINE_KERNELS_KV_SCATTER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace windowkv {

// Copies the kept tokens of one layer from prefill scratch into packed blocks: token
// positions[h][i] of KV head h goes to that head's slot i % block_size of block blocks[i /
// block_size].
//   k, v: [tokens, num_kv_heads, head_dim], contiguous
//   positions: one list for each KV head, or one for all; equally long
//   pool: [num_blocks, 2, num_kv_heads, block_size, head_dim], contiguous, same dtype
void KvScatter(const at::Tensor& k, const at::Tensor& v,
               const std::vector<std::vector<int32_t>>& positions,
               const std::vector<int32_t>& blocks, at::Tensor& pool);

// The same on one kind of device.
void KvScatterCpu(const at::Tensor& k, const at::Tensor& v,
                  const std::vector<std::vector<int32_t>>& positions,
                  const std::vector<int32_t>& blocks, at::Tensor& pool);
void KvScatterCuda(const at::Tensor& k, const at::Tensor& v,
                   const std::vector<std::vector<int32_t>>& positions,
                   const std::vector<int32_t>& blocks, at::Tensor& pool);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_KV_SCATTER_H_
