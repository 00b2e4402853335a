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

template <typename T>
class VectorTile {
 public:
  // `q`: `rows` queries (at most sixteen), q_stride elements apart; the rest count as zero.
  WINDOWKV_KERNEL_INLINE VectorTile(const T* q, int64_t q_stride, int64_t rows, int64_t head_dim)
      : q_(Workspace(head_dim)), head_dim_(head_dim) {
    std::fill_n(q_, head_dim * kLanes, 0.0f);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t d = 0; d < head_dim; ++d) q_[d * kLanes + row] = float(q[row * q_stride + d]);
    }
  }

  // products[j * kLanes + i] = q[i] . keys[j] for j < count.
  WINDOWKV_KERNEL_INLINE void Compute(const T* keys, int64_t k_stride, int64_t count,
                                      float* products) const {
    constexpr int64_t kWide = 4;
    int64_t j = 0;
    for (; j + kWide <= count; j += kWide) {
      Keys<kWide>(keys + j * k_stride, k_stride, products + j * kLanes);
    }
    for (; j < count; ++j) Keys<1>(keys + j * k_stride, k_stride, products + j * kLanes);
  }

 private:
  template <int kWide>
  WINDOWKV_KERNEL_INLINE void Keys(const T* keys, int64_t k_stride, float* products) const {
    Vec acc[kWide] = {};
    for (int64_t d = 0; d < head_dim_; ++d) {
      const Vec queries = Load(q_ + d * kLanes);
#pragma GCC unroll 4
      for (int w = 0; w < kWide; ++w) acc[w] += queries * float(keys[w * k_stride + d]);
    }
    for (int w = 0; w < kWide; ++w) Store(products + w * kLanes, acc[w]);
  }

  static float* Workspace(int64_t head_dim) {
    thread_local std::vector<float> workspace;
    workspace.resize(head_dim * kLanes);
    return workspace.data();
  }

  float* q_;  // [head_dim, kLanes]
  int64_t head_dim_;
};

// head_dim is a multiple of kAmxDepth. Between AmxBegin and AmxEnd.
class AmxTile {
 public:
  AmxTile(const c10::BFloat16* q, int64_t q_stride, int64_t rows, int64_t head_dim)
      : head_dim_(head_dim) {
    thread_local std::vector<uint32_t> packed;
    PackRowsForAmx(q, q_stride, rows, head_dim, packed);
    q_ = packed.data();
  }

  void Compute(const c10::BFloat16* keys, int64_t k_stride, int64_t count, float* products) const {
    const int64_t groups = count / kAmxRows;
    if (groups > 0) AmxProducts(keys, k_stride, q_, head_dim_, groups, products);
    const int64_t rest = count % kAmxRows;
    if (rest == 0) return;
    // The tile would read past the last key.
    thread_local std::vector<c10::BFloat16> tail;
    tail.assign(kAmxRows * head_dim_, c10::BFloat16());
    const int64_t first = groups * kAmxRows;
    for (int64_t j = 0; j < rest; ++j) {
      std::memcpy(tail.data() + j * head_dim_, keys + (first + j) * k_stride,
                  head_dim_ * sizeof(c10::BFloat16));
    }
    alignas(64) float sums[kAmxRows * kAmxRows];
    AmxProducts(tail.data(), head_dim_, q_, head_dim_, 1, sums);
    std::memcpy(products + first * kLanes, sums, rest * kLanes * sizeof(float));
  }

 private:
  const uint32_t* q_;
  int64_t head_dim_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ATTENTION_TILE_H_
