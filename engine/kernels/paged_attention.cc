#include "engine/kernels/paged_attention.h"

namespace windowkv {

void PagedAttention::Run(const at::Tensor& q, const at::Tensor& pool, const PagedCaches& caches,
                         int64_t num_heads, float scale, at::Tensor& out) {
  if (q.is_cuda()) return RunCuda(q, pool, caches, num_heads, scale, out);
  RunCpu(q, pool, caches, num_heads, scale, out);
}

}  // namespace windowkv
