#ifndef WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_SCORES_H_
#define WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_SCORES_H_

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <vector>

#include "engine/kernels/amx_products.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/vec.h"

// Products of a few queries with neighbouring keys, for PagedAttention: in vectors for any dtype
// and shape, in matrix tiles for bfloat16. Both are made for kHeads queries and then asked for the
// scores of runs of keys.

namespace windowkv {

constexpr int64_t kMaxScores = 64;  // tokens whose scores are held at once, per query head

template <int kHeads, typename T>
class VectorScores {
 public:
  // `q`: kHeads neighbouring rows of head_dim.
  WINDOWKV_KERNEL_INLINE VectorScores(const T* q, int64_t head_dim, float scale)
      : q_(Workspace(kHeads * head_dim)), head_dim_(head_dim) {
    for (int64_t i = 0; i < kHeads * head_dim; ++i) q_[i] = float(q[i]) * scale;
    for (int h = 0; h < kHeads; ++h) {
      for (int64_t i = 0; i + kPair <= head_dim; i += kPair) {
        Vec first;
        Vec second;
        LoadPair(q + h * head_dim + i, first, second);
        Store(q_ + h * head_dim + i, first * scale);
        Store(q_ + h * head_dim + i + kLanes, second * scale);
      }
    }
  }

  // scores[h][t] = scale * q[h] . keys[t] for t < count.
  WINDOWKV_KERNEL_INLINE void Compute(const T* keys, int64_t count, float* scores) const {
    constexpr int kKeys = 4;
    const int64_t whole = head_dim_ / kPair * kPair;
    Vec sums[kHeads * kLanes];
    int64_t t = 0;
    for (; whole == head_dim_ && t + kLanes <= count; t += kLanes) {
      for (int64_t j = 0; j < kLanes; j += kKeys)
        LaneSums<kKeys>(keys + (t + j) * head_dim_, sums + j);
      for (int h = 0; h < kHeads; ++h)
        Store(scores + h * kMaxScores + t, SumEach(sums + h * kLanes));
    }
    for (; t < count; ++t) {
      const T* key = keys + t * head_dim_;
      LaneSums<1>(key, sums);
      for (int h = 0; h < kHeads; ++h) {
        float score = Sum(sums[h * kLanes]);
        for (int64_t i = whole; i < head_dim_; ++i) score += q_[h * head_dim_ + i] * float(key[i]);
        scores[h * kMaxScores + t] = score;
      }
    }
  }

 private:
  static constexpr int64_t kPair = 2 * kLanes;

  // sums[h * kLanes + j] = lane sums of q[h] * keys[j] over whole pairs, for kKeys keys at once, so
  // that no multiply-add waits for the one before it.
  template <int kKeys>
  WINDOWKV_KERNEL_INLINE void LaneSums(const T* keys, Vec* sums) const {
    Vec acc[kHeads][kKeys] = {};
    for (int64_t i = 0; i + kPair <= head_dim_; i += kPair) {
#pragma GCC unroll 4
      for (int j = 0; j < kKeys; ++j) {
        Vec first;
        Vec second;
        LoadPair(keys + j * head_dim_ + i, first, second);
#pragma GCC unroll 4
        for (int h = 0; h < kHeads; ++h) {
          const float* q = q_ + h * head_dim_ + i;
          acc[h][j] += Load(q) * first;
          acc[h][j] += Load(q + kLanes) * second;
        }
      }
    }
    for (int h = 0; h < kHeads; ++h) {
      for (int j = 0; j < kKeys; ++j) sums[h * kLanes + j] = acc[h][j];
    }
  }

  static float* Workspace(int64_t size) {
    thread_local std::vector<float> workspace;
    workspace.resize(size);
    return workspace.data();
  }

  float* q_;  // scaled; whole pairs in LoadPair's order
  int64_t head_dim_;
};

// Keys are the tile's rows, queries its columns. head_dim is a multiple of kAmxDepth; rows up to
// the next multiple of kAmxRows must be readable. Between AmxBegin and AmxEnd.
template <int kHeads>
class TileScores {
 public:
  WINDOWKV_KERNEL_INLINE TileScores(const c10::BFloat16* q, int64_t head_dim, float scale)
      : q_(Pack(q, head_dim)), head_dim_(head_dim), scale_(scale) {}

  WINDOWKV_KERNEL_INLINE void Compute(const c10::BFloat16* keys, int64_t count,
                                      float* scores) const {
    alignas(64) float sums[kMaxScores * kAmxRows];
    AmxProducts(keys, head_dim_, q_, head_dim_, (count + kAmxRows - 1) / kAmxRows, sums);
    for (int64_t t = 0; t < count; ++t) {
      for (int h = 0; h < kHeads; ++h) {
        scores[h * kMaxScores + t] = sums[t * kAmxRows + h] * scale_;
      }
    }
  }

 private:
  static const uint32_t* Pack(const c10::BFloat16* q, int64_t head_dim) {
    thread_local std::vector<uint32_t> packed;
    PackRowsForAmx(q, head_dim, kHeads, head_dim, packed);
    return packed.data();
  }

  const uint32_t* q_;
  int64_t head_dim_;
  float scale_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_SCORES_H_
