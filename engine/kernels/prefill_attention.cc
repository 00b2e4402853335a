#include "engine/kernels/prefill_attention.h"

namespace windowkv {

void PrefillAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                      at::Tensor& out, at::Tensor* logsumexp) {
  const auto run = q.is_cuda() ? &PrefillAttentionCuda : &PrefillAttentionCpu;
  run(q, k, v, scale, out, logsumexp);
}

}  // namespace windowkv
