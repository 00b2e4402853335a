#include <c10/cuda/CUDAException.h>

#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/fill_tokens.h"

namespace windowkv {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads)
    Kernel(const int32_t* ids, const int32_t* rows, int32_t* tokens, int count) {
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i < count && rows[i] != kKnownToken) tokens[i] = max(ids[rows[i]], 0);
}

}  // namespace

void FillTokensCuda(const at::Tensor& ids, const at::Tensor& rows, at::Tensor& tokens) {
  const auto count = static_cast<int>(tokens.size(0));
  if (count == 0) return;
  const auto blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  Kernel<<<blocks, kThreads, 0, CurrentStream()>>>(ids.const_data_ptr<int32_t>(),
                                                   rows.const_data_ptr<int32_t>(),
                                                   tokens.mutable_data_ptr<int32_t>(), count);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace windowkv
