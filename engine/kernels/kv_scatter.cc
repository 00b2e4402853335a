#include "engine/kernels/kv_scatter.h"

namespace windowkv {

void KvScatter(const at::Tensor& k, const at::Tensor& v,
               const std::vector<std::vector<int32_t>>& positions,
               const std::vector<int32_t>& blocks, at::Tensor& pool) {
  const auto run = k.is_cuda() ? &KvScatterCuda : &KvScatterCpu;
  run(k, v, positions, blocks, pool);
}

}  // namespace windowkv
