#ifndef WINDOWKV_ENGINE_KERNELS_VEC_H_
#define WINDOWKV_ENGINE_KERNELS_VEC_H_

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <cstring>

#include "engine/kernels/isa.h"

// Sixteen float lanes in the compiler's vector extension: one AVX-512 register, two AVX2 ones.
// Loads and stores convert from and to the cache's dtype; arithmetic is always float32.

namespace windowkv {

constexpr int64_t kLanes = 16;

typedef float Vec __attribute__((vector_size(64)));
typedef float HalfVec __attribute__((vector_size(32)));
typedef float QuarterVec __attribute__((vector_size(16)));
typedef uint32_t UintVec __attribute__((vector_size(64)));
typedef uint16_t ShortVec __attribute__((vector_size(32)));

WINDOWKV_KERNEL_INLINE Vec Splat(float x) { return Vec{} + x; }

WINDOWKV_KERNEL_INLINE Vec Load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

WINDOWKV_KERNEL_INLINE Vec Load(const c10::BFloat16* p) {
  ShortVec bits;
  std::memcpy(&bits, p, sizeof(bits));
  const UintVec wide = __builtin_convertvector(bits, UintVec) << 16;
  Vec v;
  std::memcpy(&v, &wide, sizeof(v));
  return v;
}

// Thirty-two neighbouring elements as two vectors in the order that costs least: float32 halves,
// but bfloat16's even and odd elements, for which widening is one instruction each. Sums over
// elements do not mind; RestoreOrder puts 32 floats that were made elementwise back in order.
WINDOWKV_KERNEL_INLINE void LoadPair(const float* p, Vec& first, Vec& second) {
  first = Load(p);
  second = Load(p + kLanes);
}
WINDOWKV_KERNEL_INLINE void LoadPair(const c10::BFloat16* p, Vec& first, Vec& second) {
  UintVec bits;
  std::memcpy(&bits, p, sizeof(bits));
  const UintVec even = bits << 16;
  const UintVec odd = bits & 0xffff0000U;
  std::memcpy(&first, &even, sizeof(first));
  std::memcpy(&second, &odd, sizeof(second));
}
template <typename T>
WINDOWKV_KERNEL_INLINE void RestoreOrder(float* p) {
  if constexpr (sizeof(T) == sizeof(float)) return;
  float ordered[2 * kLanes];
  for (int64_t i = 0; i < kLanes; ++i) {
    ordered[2 * i] = p[i];
    ordered[2 * i + 1] = p[kLanes + i];
  }
  std::memcpy(p, ordered, sizeof(ordered));
}

WINDOWKV_KERNEL_INLINE void Store(float* p, Vec v) { std::memcpy(p, &v, sizeof(v)); }

// Rounds to nearest, ties to even.
WINDOWKV_KERNEL_INLINE void Store(c10::BFloat16* p, Vec v) {
  UintVec bits;
  std::memcpy(&bits, &v, sizeof(bits));
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const ShortVec narrow = __builtin_convertvector(bits, ShortVec);
  std::memcpy(p, &narrow, sizeof(narrow));
}

WINDOWKV_KERNEL_INLINE float Sum(Vec v) {
  const HalfVec half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                       __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const QuarterVec quarter = __builtin_shufflevector(half, half, 0, 1, 2, 3) +
                             __builtin_shufflevector(half, half, 4, 5, 6, 7);
  return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}

WINDOWKV_KERNEL_INLINE float Max(Vec v) {
  HalfVec a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
  HalfVec b = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  a = a > b ? a : b;
  QuarterVec c = __builtin_shufflevector(a, a, 0, 1, 2, 3);
  QuarterVec d = __builtin_shufflevector(a, a, 4, 5, 6, 7);
  c = c > d ? c : d;
  const float low = c[0] > c[1] ? c[0] : c[1];
  const float high = c[2] > c[3] ? c[2] : c[3];
  return low > high ? low : high;
}

// Lane i of the result is Sum(v[i]) of sixteen vectors: a tree of transposing additions, a
// third of the work of sixteen sums.
WINDOWKV_KERNEL_INLINE Vec SumEach(const Vec* v) {
  Vec pairs[8];
  for (int i = 0; i < 8; ++i) {
    const Vec a = v[2 * i];
    const Vec b = v[2 * i + 1];
    pairs[i] =
        __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
        __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
  // Four lanes of 128 bits, each with one partial sum of four vectors.
  Vec fours[4];
  for (int i = 0; i < 4; ++i) {
    const Vec a = pairs[2 * i];
    const Vec b = pairs[2 * i + 1];
    fours[i] =
        __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
        __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
  Vec eights[2];
  for (int i = 0; i < 2; ++i) {
    const Vec a = fours[2 * i];
    const Vec b = fours[2 * i + 1];
    eights[i] =
        __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
        __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
  const Vec a = eights[0];
  const Vec b = eights[1];
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

// Sixteen rows become sixteen columns.
WINDOWKV_KERNEL_INLINE void Transpose(UintVec* rows) {
  UintVec pairs[16];
  for (int i = 0; i < 16; i += 2) {
    const UintVec a = rows[i];
    const UintVec b = rows[i + 1];
    pairs[i] =
        __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    pairs[i + 1] =
        __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
  // Lane L (128 bits) of fours[4 g + c] has column 4 L + c of the rows 4 g to 4 g + 3.
  UintVec fours[16];
  for (int i = 0; i < 16; i += 4) {
    for (int odd = 0; odd < 2; ++odd) {
      const UintVec a = pairs[i + odd];
      const UintVec b = pairs[i + 2 + odd];
      fours[i + 2 * odd] =
          __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      fours[i + 2 * odd + 1] =
          __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  }
  const auto even_lanes = [](UintVec a, UintVec b) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
  };
  const auto odd_lanes = [](UintVec a, UintVec b) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30,
                                   31);
  };
  for (int c = 0; c < 4; ++c) {
    const UintVec first = even_lanes(fours[c], fours[4 + c]);
    const UintVec second = odd_lanes(fours[c], fours[4 + c]);
    const UintVec third = even_lanes(fours[8 + c], fours[12 + c]);
    const UintVec fourth = odd_lanes(fours[8 + c], fours[12 + c]);
    rows[c] = even_lanes(first, third);
    rows[4 + c] = even_lanes(second, fourth);
    rows[8 + c] = odd_lanes(first, third);
    rows[12 + c] = odd_lanes(second, fourth);
  }
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_VEC_H_
