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

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_VEC_H_
