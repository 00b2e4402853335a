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

// Factor between two maxima; 0 where nothing was seen yet.
__device__ inline float Rescale(float from, float to) {
  return from == -INFINITY ? 0 : exp2f(from - to);
}

// How the kLanes lanes of a group share out the scores of kAhead tokens under kHeads query heads:
// each has some tokens' scores under one head, or several lanes have the same one.
template <int kLanes, int kHeads>
struct ScoreLanes {
  static constexpr int kScores = kAhead * (kHeads <= 2 ? kHeads : 4);  // a power of two
  static constexpr int kEach = kScores > kLanes ? kScores / kLanes : 1;
  static constexpr int kSame = kLanes > kScores ? kLanes / kScores : 1;
  static_assert(kEach <= kAhead);

  // Which one has a score, and which of its own it is.
  static constexpr int Owner(int head, int token) {
    return (head * kAhead + token) / kEach * kSame;
  }
  static constexpr int Index(int token) { return token % kEach; }
  // Of the calling lane.
  __device__ static int FirstToken() { return threadIdx.x % kLanes / kSame * kEach % kAhead; }
  __device__ static int Head() { return threadIdx.x % kLanes / kSame * kEach / kAhead; }
};

// Adds up the lanes' parts of the scores, [head][token] in order: each lane is left with the sums
// of its own. Half of what is left goes to the other half of the lanes in each step.
template <int kLanes, int kScores>
__device__ void SumToOwners(float (&scores)[kScores]) {
  int count = kScores;
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    if (count == 1) {
      scores[0] += __shfl_xor_sync(0xffffffffU, scores[0], step);
      continue;
    }
    count /= 2;
    const bool is_upper = (threadIdx.x & step) != 0;
#pragma unroll
    for (int i = 0; i < kScores / 2; ++i) {
      if (i >= count) break;
      const float sent = is_upper ? scores[i] : scores[i + count];
      const float kept = is_upper ? scores[i + count] : scores[i];
      scores[i] = kept + __shfl_xor_sync(0xffffffffU, sent, step);
    }
  }
}

// The softmax over the tokens that a group of lanes has seen, of kHeads query heads.
template <int kLanes, int kHeads, int kSize>
struct Softmax {
  float maximum;              // of the lane's own head
  float weight;               // of the lane's own tokens
  float sums[kHeads][kSize];  // the lane's elements of each head
};

// Adds kAhead tokens: `scores` are the lane's own, -inf beyond the end.
template <int kLanes, int kHeads, typename P>
__device__ void AddTokens(const float (&scores)[ScoreLanes<kLanes, kHeads>::kEach],
                          const P (&values)[kAhead], Softmax<kLanes, kHeads, P::kSize>& softmax) {
  using Lanes = ScoreLanes<kLanes, kHeads>;
  float maximum = softmax.maximum;
#pragma unroll
  for (int i = 0; i < Lanes::kEach; ++i) maximum = fmaxf(maximum, scores[i]);
#pragma unroll
  for (int step = Lanes::kSame; step < Lanes::kSame * kAhead / Lanes::kEach; step *= 2) {
    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffU, maximum, step));
  }
  if (__any_sync(0xffffffffU, maximum != softmax.maximum)) {
    const float rescale = Rescale(softmax.maximum, maximum);
    softmax.maximum = maximum;
    softmax.weight *= rescale;
#pragma unroll
    for (int h = 0; h < kHeads; ++h) {
      const float of_head = __shfl_sync(0xffffffffU, rescale, Lanes::Owner(h, 0), kLanes);
#pragma unroll
      for (int i = 0; i < P::kSize; ++i) softmax.sums[h][i] *= of_head;
    }
  }
  float weights[Lanes::kEach];
#pragma unroll
  for (int i = 0; i < Lanes::kEach; ++i) {
    weights[i] = scores[i] == -INFINITY ? 0 : exp2f(scores[i] - maximum);
    softmax.weight += weights[i];
  }
#pragma unroll
  for (int t = 0; t < kAhead; ++t) {
#pragma unroll
    for (int h = 0; h < kHeads; ++h) {
      const float weight =
          __shfl_sync(0xffffffffU, weights[Lanes::Index(t)], Lanes::Owner(h, t), kLanes);
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
__device__ void MergeLaneGroups(const Softmax<kLanes, kHeads, kSize>& softmax,
                                PartSoftmax<kHeads, kLanes * kSize>& result) {
  using Lanes = ScoreLanes<kLanes, kHeads>;
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
  }
  float weight = softmax.weight;
#pragma unroll
  for (int step = Lanes::kSame; step < Lanes::kSame * kAhead / Lanes::kEach; step *= 2) {
    weight += __shfl_xor_sync(0xffffffffU, weight, step);
  }
  if (Lanes::FirstToken() == 0 && Lanes::Head() < kHeads) {
    maxima[Lanes::Head()][group] = softmax.maximum;
    weights[Lanes::Head()][group] = weight;
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
