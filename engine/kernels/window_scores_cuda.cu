#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/window_scores.h"

namespace windowkv {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;

// The sum of the `top` highest of a window's values, by a warp: each value's rank is counted.
__device__ float SumOfHighest(const float* values, int count, int top) {
  const int lane = threadIdx.x % kWarp;
  float sum = 0;
  for (int i = lane; i < count; i += kWarp) {
    const float value = values[i];
    int rank = 0;
    for (int j = 0; j < count; ++j) {
      rank += values[j] > value || (values[j] == value && j < i) ? 1 : 0;
    }
    if (rank < top) sum += value;
  }
  return WarpSum(sum);
}

__device__ float SumOf(const float* values, int count) {
  float sum = 0;
  for (int i = threadIdx.x % kWarp; i < count; i += kWarp) sum += values[i];
  return WarpSum(sum);
}

// A block for each window; its warps share the heads.
__global__ void __launch_bounds__(kThreads)
    Kernel(const float* token_scores, float* scores, int num_heads, int tokens, int window_size,
           WindowReduction reduction) {
  __shared__ float sums[kWarps];
  const int first = blockIdx.x * window_size;
  const int length = min(window_size, tokens - first);
  const int top = max(1, min(window_size / 2, length));
  const bool is_mean = reduction == WindowReduction::kMean;
  float sum = 0;
  for (int head = threadIdx.x / kWarp; head < num_heads; head += kWarps) {
    const float* values = token_scores + int64_t{head} * tokens + first;
    sum += is_mean ? SumOf(values, length) : SumOfHighest(values, length, top) / top;
  }
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  float total = 0;
  for (int warp = 0; warp < kWarps; ++warp) total += sums[warp];
  scores[blockIdx.x] = total / static_cast<float>(num_heads * (is_mean ? length : 1));
}

}  // namespace

void ReduceWindowsCuda(const at::Tensor& token_scores, int32_t window_size,
                       WindowReduction reduction, at::Tensor& scores) {
  if (scores.numel() == 0) return;
  Kernel<<<static_cast<unsigned>(scores.numel()), kThreads, 0, CurrentStream()>>>(
      token_scores.const_data_ptr<float>(), scores.mutable_data_ptr<float>(),
      static_cast<int>(token_scores.size(0)), static_cast<int>(token_scores.size(1)), window_size,
      reduction);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace windowkv
