#ifndef WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_CUDA_SOFTMAX_CUH_
#define WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_CUDA_SOFTMAX_CUH_

#include <cstdint>

#include "engine/kernels/cuda_values.cuh"

// The softmaxes of paged attention on CUDA: running ones in registers, and their merging over the
// lanes of a block and the blocks of a sequence. Exponents are of two.
namespace windowkv::paged_attention_cuda {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;
constexpr int kAhead = 4;  // tokens a lane reads before it uses the first
constexpr int kMaxParts = 64;

// The softmax over some tokens of kHeads query heads: each lane has its elements of the head.
template <int kHeads, int kSize>
struct Softmax {
  float maximum[kHeads];
  float weight[kHeads];
  float sums[kHeads][kSize];
};

// Factor between two maxima; 0 where nothing was seen yet.
__device__ inline float Rescale(float from, float to) {
  return from == -INFINITY ? 0 : exp2f(from - to);
}

// Adds kAhead tokens per lane group. `scores` of tokens beyond the end are -inf.
template <int kHeads, typename P>
__device__ void AddTokens(const float (&scores)[kAhead][kHeads], const P (&values)[kAhead],
                          Softmax<kHeads, P::kSize>& softmax) {
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    float maximum = softmax.maximum[h];
#pragma unroll
    for (int t = 0; t < kAhead; ++t) maximum = fmaxf(maximum, scores[t][h]);
    if (maximum == -INFINITY) continue;
    const float rescale = Rescale(softmax.maximum[h], maximum);
    softmax.maximum[h] = maximum;
    softmax.weight[h] *= rescale;
#pragma unroll
    for (int i = 0; i < P::kSize; ++i) softmax.sums[h][i] *= rescale;
#pragma unroll
    for (int t = 0; t < kAhead; ++t) {
      if (scores[t][h] == -INFINITY) continue;  // its values may be no numbers
      const float weight = exp2f(scores[t][h] - maximum);
      softmax.weight[h] += weight;
#pragma unroll
      for (int i = 0; i < P::kSize; ++i) {
        softmax.sums[h][i] += weight * ToFloat(values[t].values[i]);
      }
    }
  }
}

// Sums of all lane groups of the block in a fixed order: [kHeads][head_dim + 2], in shared memory.
template <int kLanes, int kHeads, int kSize>
__device__ void MergeLaneGroups(const Softmax<kHeads, kSize>& softmax, int head_dim,
                                float* result) {
  constexpr int kGroups = kThreads / kLanes;
  __shared__ float sums[kHeads][kGroups][kLanes * kSize];
  __shared__ float maxima[kHeads][kGroups];
  __shared__ float weights[kHeads][kGroups];
  const int group = threadIdx.x / kLanes;
  const int first = threadIdx.x % kLanes * kSize;
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
#pragma unroll
    for (int i = 0; i < kSize; ++i) sums[h][group][first + i] = softmax.sums[h][i];
    maxima[h][group] = softmax.maximum[h];
    weights[h][group] = softmax.weight[h];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kHeads * (head_dim + 1); i += kThreads) {
    const int h = i / (head_dim + 1);
    const int d = i % (head_dim + 1);
    float maximum = -INFINITY;
    for (int g = 0; g < kGroups; ++g) maximum = fmaxf(maximum, maxima[h][g]);
    float sum = 0;
    for (int g = 0; g < kGroups; ++g) {
      sum += (d < head_dim ? sums[h][g][d] : weights[h][g]) * Rescale(maxima[h][g], maximum);
    }
    float* head = result + h * (head_dim + 2);
    head[d < head_dim ? d : head_dim + 1] = sum;
    if (d == head_dim) head[head_dim] = maximum;
  }
  __syncthreads();
}

// True in the block that arrives last of `parts`; it sees what the others wrote.
__device__ inline bool ArrivesLast(int32_t* arrivals, int parts) {
  __shared__ bool is_last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    is_last = atomicAdd(arrivals, 1) == parts - 1;
    if (is_last) *arrivals = 0;
  }
  __syncthreads();
  if (is_last) __threadfence();
  return is_last;
}

// The output of a sequence's heads out of their parts. All loads of a step are on their way
// together.
template <int kHeads, typename T>
__device__ void MergeParts(const float* partials, int64_t part_stride, int parts, int heads,
                           int head_dim, T* out) {
  __shared__ float maxima[kHeads][kMaxParts];
  __shared__ float shares[kHeads][kMaxParts];
  for (int i = threadIdx.x; i < heads * parts; i += kThreads) {
    const int h = i / parts;
    const int p = i % parts;
    const float* part = partials + p * part_stride + h * (head_dim + 2);
    maxima[h][p] = __ldcg(part + head_dim);
    shares[h][p] = __ldcg(part + head_dim + 1);
  }
  __syncthreads();
  // A warp for each head.
  const int lane = threadIdx.x % kWarp;
  for (int h = threadIdx.x / kWarp; h < heads; h += kWarps) {
    float maximum = -INFINITY;
    for (int p = lane; p < parts; p += kWarp) maximum = fmaxf(maximum, maxima[h][p]);
#pragma unroll
    for (int step = kWarp / 2; step > 0; step /= 2) {
      maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffU, maximum, step));
    }
    float weight = 0;
    for (int p = lane; p < parts; p += kWarp) {
      maxima[h][p] = Rescale(maxima[h][p], maximum);
      weight += shares[h][p] * maxima[h][p];
    }
    weight = WarpSum(weight);
    for (int p = lane; p < parts; p += kWarp) shares[h][p] = maxima[h][p] / weight;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < heads * head_dim; i += kThreads) {
    const int h = i / head_dim;
    const float* element = partials + h * (head_dim + 2) + i % head_dim;
    float sum = 0;
#pragma unroll 8
    for (int p = 0; p < parts; ++p) sum += __ldcg(element + p * part_stride) * shares[h][p];
    out[i] = FromFloat<T>(sum);
  }
}

}  // namespace windowkv::paged_attention_cuda

#endif  // WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_CUDA_SOFTMAX_CUH_
