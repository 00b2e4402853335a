#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_CUT_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_CUT_CUH_

#include <cstdint>

#include "engine/kernels/cuda_values.cuh"

// The highest of many values without sorting them, by a block of kCutThreads.
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
// reached. Every thread of the block calls it, and gets the same. Sum holds the total of all
// measures; unsigned int where it can, whose additions in shared memory take one instruction.
template <typename Sum, typename Measure, typename Wanted>
__device__ Cut FindCut(const float* values, int count, const Ties& ties, const Measure& measure,
                       const Wanted& wanted_of) {
  constexpr int kWarps = kCutThreads / kWarp;
  constexpr int kBins = 2048;
  __shared__ Sum bins[kBins];
  __shared__ Sum of_warps[kWarps];
  __shared__ int found;
  __shared__ uint64_t left;
  uint32_t prefix = 0;
  uint32_t mask = 0;
  uint64_t wanted = 0;
  for (const int shift : {21, 10, 0}) {
    for (int i = threadIdx.x; i < kBins; i += kCutThreads) bins[i] = 0;
    __syncthreads();
    const uint32_t digit_mask = shift == 0 ? kBins / 2 - 1 : kBins - 1;
    for (int i = threadIdx.x; i < count; i += kCutThreads) {
      const uint32_t key = KeyOf(values[i]);
      if ((key & mask) != prefix) continue;
      const Sum x = measure(i, values[i], key);
      if (x != 0) atomicAdd(&bins[key >> shift & digit_mask], x);
    }
    if (threadIdx.x == 0 && ties.measure != 0 && (ties.key & mask) == prefix) {
      atomicAdd(&bins[ties.key >> shift & digit_mask], static_cast<Sum>(ties.measure));
    }
    __syncthreads();
    constexpr int kEach = kBins / kCutThreads;  // of neighbouring bins, so a warp has 64
    static_assert(kWarps == kWarp && kEach == 2);
    const int first = threadIdx.x * kEach;
    Sum sum = 0;
    for (int i = 0; i < kEach; ++i) sum += bins[first + i];
    sum = WarpSumOf(sum);
    if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = sum;
    __syncthreads();
    if (threadIdx.x < kWarp) {
      if (mask == 0) wanted = wanted_of(WarpSumOf(of_warps[threadIdx.x]));
      const int warp = ReachedFromAbove(of_warps[threadIdx.x], wanted);
      const Sum* pair = bins + (warp * kWarp + threadIdx.x) * kEach;
      const int lane = ReachedFromAbove(pair[0] + pair[1], wanted);
      if (threadIdx.x == lane) {
        const bool is_upper = pair[1] >= wanted;
        found = (warp * kWarp + lane) * kEach + (is_upper ? 1 : 0);
        left = is_upper ? wanted : wanted - pair[1];
      }
    }
    __syncthreads();
    prefix |= static_cast<uint32_t>(found) << shift;
    mask |= digit_mask << shift;
    wanted = left;
  }
  return {prefix, wanted};
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_CUT_CUH_
