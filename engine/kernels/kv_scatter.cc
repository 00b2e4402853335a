#include "engine/kernels/kv_scatter.h"

namespace windowkv {

void KvScatter(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept,
               const std::vector<int32_t>& blocks, at::Tensor& pool) {
  const auto run = k.is_cuda() ? &KvScatterCuda : &KvScatterCpu;
  run(k, v, kept, blocks, pool);
}

}  // namespace windowkv
