#ifndef WINDOWKV_ENGINE_KERNELS_ATTENTION_TILE_H_
#define WINDOWKV_ENGINE_KERNELS_ATTENTION_TILE_H_

#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/kernels/amx_products.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/vec.h"

// Products of sixteen queries with up to kTileKeys neighbouring keys: a vector of sixteen queries
// per key. In vectors for any dtype and shape, in matrix tiles for bfloat16. Both are made for one
// block of queries and then asked for one run of keys after the other.

namespace windowkv {

constexpr int64_t kTileKeys = 64;

// out[m * kLanes + i] (+)= the sum over k < depth of a[m * m_stride + k * k_stride] * b[k * kLanes
// + i], for kRows values of m: `a` is broadcast, the lanes of `b` never meet.
template <int kRows, bool kAdd, typename T>
WINDOWKV_KERNEL_INLINE void LaneProductRows(const T* a, int64_t m_stride, int64_t k_stride,
                                            int64_t depth, const float* b, float* out) {
  Vec acc[kRows] = {};
  if constexpr (kAdd) {
    for (int m = 0; m < kRows; ++m) acc[m] = Load(out + m * kLanes);
  }
  for (int64_t k = 0; k < depth; ++k) {
    const Vec lanes = Load(b + k * kLanes);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) acc[m] += lanes * float(a[m * m_stride + k * k_stride]);
  }
  for (int m = 0; m < kRows; ++m) Store(out + m * kLanes, acc[m]);
}

// The same for `count` values of m; eight chains hide the latency of a multiply-add.
template <bool kAdd, typename T>
WINDOWKV_KERNEL_INLINE void LaneProducts(const T* a, int64_t m_stride, int64_t k_stride,
                                         int64_t count, int64_t depth, const float* b, float* out) {
  constexpr int64_t kWide = 8;
  int64_t m = 0;
  for (; m + kWide <= count; m += kWide) {
    LaneProductRows<kWide, kAdd>(a + m * m_stride, m_stride, k_stride, depth, b, out + m * kLanes);
  }
  for (; m < count; ++m) {
    LaneProductRows<1, kAdd>(a + m * m_stride, m_stride, k_stride, depth, b, out + m * kLanes);
  }
}

// Queries as lanes: packed[d * kLanes + i] = element d of query i; missing queries are zero.
template <typename T>
WINDOWKV_KERNEL_INLINE void PackQueryLanes(const T* q, int64_t q_stride, int64_t rows,
                                           int64_t head_dim, float* packed) {
  std::fill_n(packed, head_dim * kLanes, 0.0f);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t d = 0; d < head_dim; ++d) packed[d * kLanes + row] = float(q[row * q_stride + d]);
  }
}

template <typename T>
class VectorTile {
 public:
  // `q`: `rows` queries (at most sixteen), q_stride elements apart; the rest count as zero.
  WINDOWKV_KERNEL_INLINE VectorTile(const T* q, int64_t q_stride, int64_t rows, int64_t head_dim)
      : q_(Workspace(head_dim)), head_dim_(head_dim) {
    PackQueryLanes(q, q_stride, rows, head_dim, q_);
  }

  // products[j * kLanes + i] = q[i] . keys[j] for j < count.
  WINDOWKV_KERNEL_INLINE void Compute(const T* keys, int64_t k_stride, int64_t count,
                                      float* products) const {
    LaneProducts<false>(keys, k_stride, 1, count, head_dim_, q_, products);
  }

 private:
  static float* Workspace(int64_t head_dim) {
    thread_local std::vector<float> workspace;
    workspace.resize(head_dim * kLanes);
    return workspace.data();
  }

  float* q_;  // [head_dim, kLanes]
  int64_t head_dim_;
};

// products[j * kLanes + i] = q[i] . keys[j] for j < count, at most kTileKeys, from queries that
// PackRowsForAmx packed. head_dim is a multiple of kAmxDepth. Between AmxBegin and AmxEnd.
inline void AmxKeyProducts(const c10::BFloat16* keys, int64_t k_stride, const uint32_t* q,
                           int64_t head_dim, int64_t count, float* products) {
  const int64_t groups = count / kAmxRows;
  if (groups > 0) AmxProducts(keys, k_stride, q, head_dim, groups, products);
  const int64_t rest = count % kAmxRows;
  if (rest == 0) return;
  // The tile would read past the last key.
  thread_local std::vector<c10::BFloat16> tail;
  tail.assign(kAmxRows * head_dim, c10::BFloat16());
  const int64_t first = groups * kAmxRows;
  for (int64_t j = 0; j < rest; ++j) {
    std::memcpy(tail.data() + j * head_dim, keys + (first + j) * k_stride,
                head_dim * sizeof(c10::BFloat16));
  }
  alignas(64) float sums[kAmxRows * kAmxRows];
  AmxProducts(tail.data(), head_dim, q, head_dim, 1, sums);
  std::memcpy(products + first * kLanes, sums, rest * kLanes * sizeof(float));
}

// As VectorTile; the conditions of AmxKeyProducts hold.
class AmxTile {
 public:
  AmxTile(const c10::BFloat16* q, int64_t q_stride, int64_t rows, int64_t head_dim)
      : head_dim_(head_dim) {
    thread_local std::vector<uint32_t> packed;
    PackRowsForAmx(q, q_stride, rows, head_dim, packed);
    q_ = packed.data();
  }

  void Compute(const c10::BFloat16* keys, int64_t k_stride, int64_t count, float* products) const {
    AmxKeyProducts(keys, k_stride, q_, head_dim_, count, products);
  }

 private:
  const uint32_t* q_;
  int64_t head_dim_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ATTENTION_TILE_H_
