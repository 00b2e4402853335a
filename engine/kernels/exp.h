#ifndef WINDOWKV_ENGINE_KERNELS_EXP_H_
#define WINDOWKV_ENGINE_KERNELS_EXP_H_

#include <cstdint>
#include <cstring>

#include "engine/kernels/vec.h"

namespace windowkv {

typedef int32_t IntVec __attribute__((vector_size(64)));

// e^x per lane within 2 units in the last place of float32, for x in [-87, 88]; clamped outside.
// Splits x = n ln2 + r, |r| <= ln2 / 2, and takes the Taylor polynomial of degree 7 for e^r.
WINDOWKV_KERNEL_INLINE Vec Exp(Vec x) {
  x = x < -87.0f ? Splat(-87.0f) : x;
  x = x > 88.0f ? Splat(88.0f) : x;
  // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
  const Vec rounder = Splat(12582912.0f);
  const Vec n = (x * 1.44269504088896341f + rounder) - rounder;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = Splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec scale;
  std::memcpy(&scale, &exponent, sizeof(scale));
  return p * scale;
}

// 2^x per lane within 3 units in the last place of float32 for x in [-126, 0], exactly 1 at 0;
// 2^-126 below. A softmax's weights in the fewest operations: the polynomial of degree 5 is the one
// of least relative error on [-0.5, 0.5], and the power of two goes straight to the exponent.
WINDOWKV_KERNEL_INLINE Vec Exp2OfNonPositive(Vec x) {
  x = x > -126.0f ? x : Splat(-126.0f);
  // Adding 1.5 * 2^23 rounds to the nearest integer, which stands in the sum's lowest bits.
  const Vec rounder = Splat(12582912.0f);
  const Vec rounded = x + rounder;
  const Vec r = x - (rounded - rounder);
  Vec p = Splat(0.0013264728477224708f);
  p = p * r + 0.009671513922512531f;
  p = p * r + 0.05550733581185341f;
  p = p * r + 0.24022242426872253f;
  p = p * r + 0.6931470036506653f;
  p = p * r + 1.0f;
  UintVec exponent;
  UintVec bits;
  std::memcpy(&exponent, &rounded, sizeof(exponent));
  std::memcpy(&bits, &p, sizeof(bits));
  bits += exponent << 23;
  Vec result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_EXP_H_
