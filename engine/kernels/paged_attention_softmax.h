#ifndef WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_SOFTMAX_H_
#define WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_SOFTMAX_H_

#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/paged_attention_scores.h"
#include "engine/kernels/vec.h"

// The running softmax of PagedAttention and its weighted sum of values.

namespace windowkv {

constexpr int kMaxHeads = 4;  // query heads handled together; larger groups take turns

// Running softmax of a few query heads: `acc` is the weighted sum of values relative to `maximum`.
struct Softmax {
  float* acc[kMaxHeads];
  float maximum[kMaxHeads];
  float sum[kMaxHeads];
};

// Turns scores into weights and rescales what was summed so far.
template <int kHeads>
WINDOWKV_KERNEL_INLINE void UpdateSoftmax(int64_t count, int64_t head_dim, float* all_scores,
                                          Softmax& softmax) {
  for (int h = 0; h < kHeads; ++h) {
    float* scores = all_scores + h * kMaxScores;
    for (int64_t t = count; t % kLanes != 0; ++t) {
      scores[t] = -std::numeric_limits<float>::infinity();
    }
    Vec maxima = Splat(softmax.maximum[h]);
    for (int64_t t = 0; t < count; t += kLanes) {
      const Vec s = Load(scores + t);
      maxima = s > maxima ? s : maxima;
    }
    const float maximum = Max(maxima);
    const float correction =
        maximum == softmax.maximum[h] ? 1.0f : std::exp(softmax.maximum[h] - maximum);
    Vec sums = {};
    for (int64_t t = 0; t < count; t += kLanes) {
      const Vec s = Load(scores + t);
      const Vec weights = s == -std::numeric_limits<float>::infinity() ? Vec{} : Exp(s - maximum);
      Store(scores + t, weights);
      sums += weights;
    }
    softmax.sum[h] = softmax.sum[h] * correction + Sum(sums);
    softmax.maximum[h] = maximum;
    if (correction == 1.0f) continue;
    for (int64_t i = 0; i < head_dim; ++i) softmax.acc[h][i] *= correction;
  }
}

// Adds kPairs times 32 dimensions of the weighted values from dimension `d` on, in LoadPair's
// order; together their sums are enough independent chains to hide the latency of a multiply-add.
template <int kHeads, int kPairs, typename T>
WINDOWKV_KERNEL_INLINE void AddPairs(const T* values, int64_t count, int64_t head_dim, int64_t d,
                                     const float* weights, Softmax& softmax) {
  Vec acc[kHeads][2 * kPairs];
  for (int h = 0; h < kHeads; ++h) {
    for (int w = 0; w < 2 * kPairs; ++w) acc[h][w] = Load(softmax.acc[h] + d + w * kLanes);
  }
  for (int64_t t = 0; t < count; ++t) {
#pragma GCC unroll 2
    for (int pair = 0; pair < kPairs; ++pair) {
      Vec first;
      Vec second;
      LoadPair(values + t * head_dim + d + pair * 2 * kLanes, first, second);
#pragma GCC unroll 4
      for (int h = 0; h < kHeads; ++h) {
        acc[h][2 * pair] += weights[h * kMaxScores + t] * first;
        acc[h][2 * pair + 1] += weights[h * kMaxScores + t] * second;
      }
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    for (int w = 0; w < 2 * kPairs; ++w) Store(softmax.acc[h] + d + w * kLanes, acc[h][w]);
  }
}

template <int kHeads, typename T>
WINDOWKV_KERNEL_INLINE void AddValues(const T* values, int64_t count, int64_t head_dim,
                                      const float* weights, Softmax& softmax) {
  constexpr int64_t kPair = 2 * kLanes;
  int64_t d = 0;
  for (; d + 2 * kPair <= head_dim; d += 2 * kPair) {
    AddPairs<kHeads, 2>(values, count, head_dim, d, weights, softmax);
  }
  for (; d + kPair <= head_dim; d += kPair) {
    AddPairs<kHeads, 1>(values, count, head_dim, d, weights, softmax);
  }
  for (; d < head_dim; ++d) {
    for (int h = 0; h < kHeads; ++h) {
      for (int64_t t = 0; t < count; ++t) {
        softmax.acc[h][d] += weights[h * kMaxScores + t] * float(values[t * head_dim + d]);
      }
    }
  }
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PAGED_ATTENTION_SOFTMAX_H_
