#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_CUT_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_CUT_CUH_

#include <cooperative_groups.h>

#include <cstdint>

#include "engine/kernels/cuda_values.cuh"

// The highest of many values without sorting them, by a cluster of blocks of kCutThreads; without
// clusters each block is one.
namespace windowkv {

constexpr int kCutThreads = 1024;

// Integers in the order of the floats; 0 and -0 are the same, and what is no number is the lowest.
__device__ inline uint32_t KeyOf(float x) {
  const uint32_t bits = __float_as_uint(isnan(x) ? -INFINITY : x + 0.0f);
  return bits ^ (bits >> 31 != 0 ? 0xffffffffU : 0x80000000U);
}
__device__ inline float ValueOf(uint32_t key) {
  return __uint_as_float(key ^ (key >> 31 != 0 ? 0x80000000U : 0xffffffffU));
}

// Calls visit(index, value) for values[first], [first + step], ... before `end`. Several loads are
// under way at once, since what a visit writes would keep the compiler from loading ahead of it.
template <typename Visit>
__device__ void ForValues(const float* values, int first, int end, int step, const Visit& visit) {
  constexpr int kAhead = 8;
  for (int base = first; base < end; base += kAhead * step) {
    float ahead[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int at = base + i * step;
      ahead[i] = at < end ? values[at] : 0;
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int at = base + i * step;
      if (at < end) visit(at, ahead[i]);
    }
  }
}

// The same for a row's values that are this thread's of a cluster.
template <typename Visit>
__device__ void ForOwnValues(const float* values, int count, const Visit& visit) {
  const auto cluster = cooperative_groups::this_cluster();
  ForValues(values, static_cast<int>(cluster.thread_rank()), count,
            static_cast<int>(cluster.num_threads()), visit);
}

// Adds to a sum in shared memory. Two additions of 32 bits, the carry between them: one of 64 bits
// is a loop, which threads that add to the same sum go round one after another.
__device__ inline void AddTo(unsigned& sum, unsigned x) { atomicAdd(&sum, x); }
__device__ inline void AddTo(unsigned long long& sum, unsigned long long x) {
  auto* halves = reinterpret_cast<unsigned*>(&sum);
  const auto low = static_cast<unsigned>(x);
  const unsigned carry = atomicAdd(&halves[0], low) > ~low ? 1 : 0;
  const unsigned high = static_cast<unsigned>(x >> 32) + carry;
  if (high != 0) atomicAdd(&halves[1], high);
}

template <typename Sum>
__device__ Sum WarpSumOf(Sum x) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffU, x, step);
  return x;
}

// The highest lane of a warp that, with those above it, has what is wanted; the lowest when all
// together have less. What those above have is taken off `wanted`.
template <typename Sum>
__device__ int ReachedFromAbove(Sum own, uint64_t& wanted) {
  const int lane = threadIdx.x % kWarp;
  Sum sum = own;
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const Sum other = __shfl_down_sync(0xffffffffU, sum, step);
    if (lane + step < kWarp) sum += other;
  }
  const unsigned reached = __ballot_sync(0xffffffffU, sum >= wanted);
  const int highest = reached == 0 ? 0 : kWarp - 1 - __clz(static_cast<int>(reached));
  wanted -= __shfl_sync(0xffffffffU, sum - own, highest);
  return highest;
}

// What is left of a row: every value above the one with `key`, and of those equal to it what has
// the measure `ties`.
struct Cut {
  uint32_t key = 0;
  uint64_t ties = 0;
};

// Equal candidates that a filter before has let through in part.
struct Ties {
  uint32_t key = 0;
  uint64_t measure = 0;  // of those let through
};

// Where the measures of the highest values, measure(index, value, key), reach what is wanted of
// all of them, wanted_of(total): the value's key, and what is still wanted of those equal to it.
// Key 0, which no value has, when the total is less. Eleven bits of the key at a time: the measures
// are added up by these bits, and the next time only those are looked at in which the sum is
// reached. Every thread of the cluster calls it, and gets the same. Sum holds the total of all
// measures: unsigned int where it can, whose additions are half the work.
template <typename Sum, typename Measure, typename Wanted>
__device__ Cut FindCut(const float* values, int count, const Ties& ties, const Measure& measure,
                       const Wanted& wanted_of) {
  constexpr int kWarps = kCutThreads / kWarp;
  constexpr int kBins = 2048;
  constexpr int kEach = kBins / kCutThreads;  // neighbouring bins of a thread
  static_assert(kWarps == kWarp && kEach == 2);
  __shared__ Part<Sum, kEach> bins[kCutThreads];  // of this block's values
  __shared__ Sum of_warps[kWarps];
  __shared__ int found;
  __shared__ uint64_t left;
  const auto cluster = cooperative_groups::this_cluster();
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  uint32_t prefix = 0;
  uint32_t mask = 0;
  uint64_t wanted = 0;
  for (const int shift : {21, 10, 0}) {
    bins[threadIdx.x] = {};
    __syncthreads();
    const uint32_t digit_mask = shift == 0 ? kBins / 2 - 1 : kBins - 1;
    const auto add = [&](uint32_t key, Sum x) {
      const uint32_t digit = key >> shift & digit_mask;
      AddTo(bins[digit / kEach].values[digit % kEach], x);
    };
    ForOwnValues(values, count, [&](int i, float value) {
      const uint32_t key = KeyOf(value);
      if ((key & mask) != prefix) return;
      const Sum x = measure(i, value, key);
      if (x != 0) add(key, x);
    });
    if (cluster.thread_rank() == 0 && ties.measure != 0 && (ties.key & mask) == prefix) {
      add(ties.key, static_cast<Sum>(ties.measure));
    }
    cluster.sync();
    Part<Sum, kEach> sums = {};
    for (unsigned rank = 0; rank < cluster.num_blocks(); ++rank) {
      const auto of_block = LoadPart<Sum, kEach>(
          cluster.map_shared_rank(bins, static_cast<int>(rank))[threadIdx.x].values);
      for (int i = 0; i < kEach; ++i) sums.values[i] += of_block.values[i];
    }
    const Sum both = sums.values[0] + sums.values[1];
    const Sum of_warp = WarpSumOf(both);
    if (lane == 0) of_warps[warp] = of_warp;
    __syncthreads();
    if (mask == 0) wanted = wanted_of(WarpSumOf(of_warps[lane]));
    if (warp == ReachedFromAbove(of_warps[lane], wanted)) {
      const int at = ReachedFromAbove(both, wanted);
      if (lane == at) {
        const bool is_upper = sums.values[1] >= wanted;
        found = static_cast<int>(threadIdx.x) * kEach + (is_upper ? 1 : 0);
        left = is_upper ? wanted : wanted - sums.values[1];
      }
    }
    cluster.sync();  // before a block's bins are for others again
    prefix |= static_cast<uint32_t>(found) << shift;
    mask |= digit_mask << shift;
    wanted = left;
  }
  return {prefix, wanted};
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_CUT_CUH_
