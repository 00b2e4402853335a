#ifndef WINDOWKV_ENGINE_KERNELS_KV_SCATTER_H_
#define WINDOWKV_ENGINE_KERNELS_KV_SCATTER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/kernels/kept_positions.h"

namespace windowkv {

// Copies the kept tokens of one layer from prefill scratch into packed blocks: a head's i-th token
// goes to its slot i % block_size of block blocks[i / block_size].
//   k, v: [tokens, num_kv_heads, head_dim], contiguous
//   kept: on their device; one row for each KV head, or one for all
//   blocks: enough for the kept tokens
//   pool: [num_blocks, 2, num_kv_heads, block_size, head_dim], contiguous, same dtype
void KvScatter(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept,
               const std::vector<int32_t>& blocks, at::Tensor& pool);

// The same on one kind of device.
void KvScatterCpu(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept,
                  const std::vector<int32_t>& blocks, at::Tensor& pool);
void KvScatterCuda(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept,
                   const std::vector<int32_t>& blocks, at::Tensor& pool);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_KV_SCATTER_H_
