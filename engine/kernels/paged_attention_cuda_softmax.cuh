#ifndef WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_CUDA_SOFTMAX_CUH_
#define WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_CUDA_SOFTMAX_CUH_

#include <cooperative_groups.h>

#include <cstdint>

#include "engine/kernels/cuda_values.cuh"

// The softmaxes of paged attention on CUDA: running ones in registers, and their merging over the
// lanes of a block and the blocks of a cluster. Exponents are of two.
namespace windowkv::paged_attention_cuda {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kAhead = 4;      // tokens a lane reads before it uses the first
constexpr int kMaxParts = 16;  // blocks of a cluster

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

// What a block has seen of its part of a cache, in shared memory.
template <int kHeads, int kWidth>
struct PartSoftmax {
  alignas(kPackBytes) float sums[kHeads][kWidth];
  float maximum[kHeads];
  float weight[kHeads];
};

// Sums of all lane groups of the block in a fixed order.
template <int kLanes, int kHeads, int kSize>
__device__ void MergeLaneGroups(const Softmax<kHeads, kSize>& softmax,
                                PartSoftmax<kHeads, kLanes * kSize>& result) {
  constexpr int kGroups = kThreads / kLanes;
  constexpr int kWidth = kLanes * kSize;
  __shared__ alignas(kPackBytes) float sums[kHeads][kGroups][kWidth];
  __shared__ float maxima[kHeads][kGroups];
  __shared__ float weights[kHeads][kGroups];
  __shared__ float factors[kHeads][kGroups];
  const int group = threadIdx.x / kLanes;
  const int first = threadIdx.x % kLanes * kSize;
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
#pragma unroll
    for (int i = 0; i < kSize; i += 4) {
      Part<float, 4> part;
#pragma unroll
      for (int j = 0; j < 4; ++j) part.values[j] = softmax.sums[h][i + j];
      StorePart(&sums[h][group][first + i], part);
    }
    maxima[h][group] = softmax.maximum[h];
    weights[h][group] = softmax.weight[h];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kHeads * kGroups; i += kThreads) {
    const int h = i / kGroups;
    float maximum = -INFINITY;
    for (int g = 0; g < kGroups; ++g) maximum = fmaxf(maximum, maxima[h][g]);
    factors[h][i % kGroups] = Rescale(maxima[h][i % kGroups], maximum);
    if (i % kGroups == 0) result.maximum[h] = maximum;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kHeads; i += kThreads) {
    float weight = 0;
    for (int g = 0; g < kGroups; ++g) weight += weights[i][g] * factors[i][g];
    result.weight[i] = weight;
  }
  for (int i = threadIdx.x * 4; i < kHeads * kWidth; i += kThreads * 4) {
    const int h = i / kWidth;
    Part<float, 4> sum = {};
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      const auto part = LoadPart<float, 4>(&sums[h][g][i % kWidth]);
#pragma unroll
      for (int j = 0; j < 4; ++j) sum.values[j] += part.values[j] * factors[h][g];
    }
    StorePart(&result.sums[h][i % kWidth], sum);
  }
  __syncthreads();
}

// The output of a sequence's heads out of the parts that the blocks of a cluster hold, the first
// `parts` of it; each of them writes its share of the elements. Waits for the others before and
// after it reads what they hold.
template <int kHeads, int kWidth, typename T>
__device__ void MergeParts(PartSoftmax<kHeads, kWidth>& own, int parts, int heads, int head_dim,
                           T* out) {
  __shared__ float maxima[kHeads][kMaxParts];
  __shared__ float shares[kHeads][kMaxParts];
  const auto cluster = cooperative_groups::this_cluster();
  cluster.sync();
  for (int i = threadIdx.x; i < kHeads * parts; i += kThreads) {
    const auto* part = cluster.map_shared_rank(&own, i % parts);
    maxima[i / parts][i % parts] = part->maximum[i / parts];
    shares[i / parts][i % parts] = part->weight[i / parts];
  }
  __syncthreads();
  for (int h = threadIdx.x; h < kHeads; h += kThreads) {
    float maximum = -INFINITY;
    for (int p = 0; p < parts; ++p) maximum = fmaxf(maximum, maxima[h][p]);
    float weight = 0;
    for (int p = 0; p < parts; ++p) {
      const float factor = Rescale(maxima[h][p], maximum);
      maxima[h][p] = factor;
      weight += shares[h][p] * factor;
    }
    for (int p = 0; p < parts; ++p) shares[h][p] = maxima[h][p] / weight;
  }
  __syncthreads();
  const int each = (heads * head_dim + parts - 1) / parts;
  const int end = min((static_cast<int>(cluster.block_rank()) + 1) * each, heads * head_dim);
  for (int i = cluster.block_rank() * each + threadIdx.x; i < end; i += kThreads) {
    const int h = i / head_dim;
    const float* element = &own.sums[h][i % head_dim];
    float sum = 0;
#pragma unroll 8
    for (int p = 0; p < parts; ++p) sum += *cluster.map_shared_rank(element, p) * shares[h][p];
    out[i] = FromFloat<T>(sum);
  }
  cluster.sync();
}

}  // namespace windowkv::paged_attention_cuda

#endif  // WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_CUDA_SOFTMAX_CUH_
