#ifndef WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_MATH_H_
#define WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_MATH_H_

#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/kernels/amx_products.h"
#include "engine/kernels/attention_tile.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/vec.h"

// The two products of PrefillAttention for sixteen queries (lanes) and one block of keys: in
// vectors for any dtype and shape, in matrix tiles for bfloat16. Each thread has one of these; it
// is given a block of keys and values and then used by many tiles of queries.

namespace windowkv {

constexpr int64_t kBlockKeys = 128;

// Keys and values of a block as float32, widened once for all queries.
template <typename T>
class VectorAttentionMath {
 public:
  using PackedQueries = std::vector<float>;
  struct Weights {
    alignas(64) float values[kBlockKeys * kLanes];
  };

  explicit VectorAttentionMath(int64_t head_dim) : head_dim_(head_dim) {
    keys_.resize(kBlockKeys * head_dim);
    values_.resize(kBlockKeys * head_dim);
  }

  WINDOWKV_KERNEL_INLINE void Pack(const T* q, int64_t q_stride, int64_t rows,
                                   PackedQueries& packed) const {
    packed.resize(head_dim_ * kLanes);
    PackQueryLanes(q, q_stride, rows, head_dim_, packed.data());
  }

  WINDOWKV_KERNEL_INLINE void SetBlock(const T* k, int64_t k_stride, const T* v, int64_t v_stride,
                                       int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
      Widen(k + j * k_stride, keys_.data() + j * head_dim_);
      Widen(v + j * v_stride, values_.data() + j * head_dim_);
    }
  }

  // products[j * kLanes + i] = q[i] . key j for j < count.
  WINDOWKV_KERNEL_INLINE void Products(const PackedQueries& q, int64_t count,
                                       float* products) const {
    LaneProducts<false>(keys_.data(), head_dim_, 1, count, head_dim_, q.data(), products);
  }

  // Of keys j, which is even, and j + 1, a lane per query. An odd count ends with a zero.
  WINDOWKV_KERNEL_INLINE static void SetWeights(int64_t j, Vec even, Vec odd, Weights& weights) {
    Store(weights.values + j * kLanes, even);
    Store(weights.values + (j + 1) * kLanes, odd);
  }

  // sums[d * kLanes + i] += the weighted values of the first `count` keys.
  WINDOWKV_KERNEL_INLINE void AddValues(Weights& weights, int64_t count, float* sums) const {
    LaneProducts<true>(values_.data(), 1, head_dim_, head_dim_, count, weights.values, sums);
  }

 private:
  WINDOWKV_KERNEL_INLINE void Widen(const T* from, float* to) const {
    int64_t d = 0;
    for (; d + kLanes <= head_dim_; d += kLanes) Store(to + d, Load(from + d));
    for (; d < head_dim_; ++d) to[d] = float(from[d]);
  }

  int64_t head_dim_;
  std::vector<float> keys_;    // [kBlockKeys, head_dim]
  std::vector<float> values_;  // likewise
};

// Keys are tile rows where they lie. Values are turned, so that a tile row is one dimension of
// thirty-two keys, and weights are packed in pairs of keys. head_dim is a multiple of kAmxDepth.
// Between AmxBegin and AmxEnd.
class AmxAttentionMath {
 public:
  using PackedQueries = std::vector<uint32_t>;
  struct Weights {
    alignas(64) uint32_t pairs[kBlockKeys / 2 * kLanes];
  };

  explicit AmxAttentionMath(int64_t head_dim) : head_dim_(head_dim) {
    values_.resize(head_dim * kPairs);
  }

  WINDOWKV_KERNEL_INLINE void Pack(const c10::BFloat16* q, int64_t q_stride, int64_t rows,
                                   PackedQueries& packed) const {
    PackRowsForAmx(q, q_stride, rows, head_dim_, packed);
  }

  WINDOWKV_KERNEL_INLINE void SetBlock(const c10::BFloat16* k, int64_t k_stride,
                                       const c10::BFloat16* v, int64_t v_stride, int64_t count) {
    k_ = k;
    k_stride_ = k_stride;
    for (int64_t pair = 0; pair < kPairs && 2 * pair < count; pair += kLanes) {
      for (int64_t d = 0; d < head_dim_; d += kLanes) {
        UintVec pairs[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) {
          const int64_t key = 2 * (pair + i);
          const UintVec even = key < count ? Bits(v + key * v_stride + d) : UintVec{};
          const UintVec odd = key + 1 < count ? Bits(v + (key + 1) * v_stride + d) : UintVec{};
          pairs[i] = even | (odd << 16);
        }
        Transpose(pairs);
        for (int64_t i = 0; i < kLanes; ++i) {
          std::memcpy(values_.data() + (d + i) * kPairs + pair, &pairs[i], sizeof(UintVec));
        }
      }
    }
  }

  WINDOWKV_KERNEL_INLINE void Products(const PackedQueries& q, int64_t count,
                                       float* products) const {
    for (int64_t j = 0; j < count; j += kTileKeys) {
      AmxKeyProducts(k_ + j * k_stride_, k_stride_, q.data(), head_dim_,
                     std::min(kTileKeys, count - j), products + j * kLanes);
    }
  }

  WINDOWKV_KERNEL_INLINE static void SetWeights(int64_t j, Vec even, Vec odd, Weights& weights) {
    const UintVec pair = (Rounded(even) >> 16) | (Rounded(odd) & 0xffff0000U);
    std::memcpy(weights.pairs + j / 2 * kLanes, &pair, sizeof(pair));
  }

  WINDOWKV_KERNEL_INLINE void AddValues(Weights& weights, int64_t count, float* sums) const {
    // Whole tiles: what follows the last key weighs nothing.
    const int64_t depth = (count + kAmxDepth - 1) / kAmxDepth * kAmxDepth;
    for (int64_t j = (count + 1) / 2 * 2; j < depth; j += 2) SetWeights(j, Vec{}, Vec{}, weights);
    constexpr int64_t kRows = 4 * kAmxRows;
    for (int64_t d = 0; d < head_dim_; d += kRows) {
      const auto* values = reinterpret_cast<const c10::BFloat16*>(values_.data() + d * kPairs);
      AmxProducts(values, kBlockKeys, weights.pairs, depth,
                  std::min(kRows, head_dim_ - d) / kAmxRows, sums + d * kLanes, /*add=*/true);
    }
  }

 private:
  static constexpr int64_t kPairs = kBlockKeys / 2;

  WINDOWKV_KERNEL_INLINE static UintVec Bits(const c10::BFloat16* p) {
    ShortVec bits;
    std::memcpy(&bits, p, sizeof(bits));
    return __builtin_convertvector(bits, UintVec);
  }
  // Weights are not negative: half up is to nearest, but for ties.
  WINDOWKV_KERNEL_INLINE static UintVec Rounded(Vec weights) {
    UintVec bits;
    std::memcpy(&bits, &weights, sizeof(bits));
    return bits + 0x8000U;
  }

  int64_t head_dim_;
  const c10::BFloat16* k_ = nullptr;
  int64_t k_stride_ = 0;
  std::vector<uint32_t> values_;  // [head_dim, kPairs] pairs of keys
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PREFILL_ATTENTION_MATH_H_
