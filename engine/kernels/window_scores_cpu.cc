#include "engine/kernels/window_scores_cpu.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

struct SoftmaxArgs {
  float* logits;
  float* scores;
  int64_t observation;
  int64_t tokens;
};

// Replaces `visible` logits by their exponentials relative to the maximum; returns their sum.
WINDOWKV_KERNEL_INLINE float Exponentiate(float* row, int64_t visible) {
  const int64_t whole = visible / kLanes * kLanes;
  float maximum = row[0];
  for (int64_t i = 0; i < visible; ++i) maximum = std::max(maximum, row[i]);
  Vec sums = {};
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vec e = Exp(Load(row + i) - maximum);
    Store(row + i, e);
    sums += e;
  }
  float sum = Sum(sums);
  for (int64_t i = whole; i < visible; ++i) {
    row[i] = std::exp(row[i] - maximum);
    sum += row[i];
  }
  return sum;
}

struct SoftmaxBody {
  WINDOWKV_KERNEL_INLINE static void Run(const SoftmaxArgs& a, int64_t begin, int64_t end) {
    const int64_t review = a.tokens - a.observation;
    for (int64_t head = begin; head < end; ++head) {
      float* scores = a.scores + head * review;
      std::fill_n(scores, review, 0.0f);
      for (int64_t i = 0; i < a.observation; ++i) {
        float* row = a.logits + (head * a.observation + i) * a.tokens;
        const float scale = 1.0f / Exponentiate(row, review + i + 1);
        for (int64_t j = 0; j < review; ++j) scores[j] += row[j] * scale;
      }
    }
  }
};

struct ReduceArgs {
  const float* token_scores;
  float* scores;
  int64_t num_heads;
  int64_t tokens;
  int64_t window_size;
  WindowReduction reduction;
};

float TopMean(const float* values, int64_t count, int64_t top) {
  float sorted[1024];
  std::copy_n(values, count, sorted);
  std::partial_sort(sorted, sorted + top, sorted + count, std::greater<>());
  float sum = 0;
  for (int64_t i = 0; i < top; ++i) sum += sorted[i];
  return sum / static_cast<float>(top);
}

struct ReduceBody {
  WINDOWKV_KERNEL_INLINE static void Run(const ReduceArgs& a, int64_t begin, int64_t end) {
    for (int64_t window = begin; window < end; ++window) {
      const int64_t first = window * a.window_size;
      const int64_t length = std::min(a.window_size, a.tokens - first);
      const int64_t top = std::max<int64_t>(1, std::min(a.window_size / 2, length));
      float sum = 0;
      for (int64_t head = 0; head < a.num_heads; ++head) {
        const float* values = a.token_scores + head * a.tokens + first;
        if (a.reduction == WindowReduction::kTopHalfMean) {
          sum += TopMean(values, length, top);
          continue;
        }
        for (int64_t i = 0; i < length; ++i) sum += values[i];
      }
      const bool per_token = a.reduction == WindowReduction::kMean;
      a.scores[window] = sum / static_cast<float>(a.num_heads * (per_token ? length : 1));
    }
  }
};

}  // namespace

void SumAttentionCpu(float* logits, int64_t num_heads, int64_t observation, int64_t tokens,
                     float* scores) {
  const SoftmaxArgs args{logits, scores, observation, tokens};
  ParallelKernel<SoftmaxBody>(args, num_heads, /*grain=*/1);
}

void ReduceWindowsCpu(const float* token_scores, int64_t num_heads, int64_t tokens,
                      int32_t window_size, WindowReduction reduction, float* scores) {
  const ReduceArgs args{token_scores, scores, num_heads, tokens, window_size, reduction};
  ParallelKernel<ReduceBody>(args, (tokens + window_size - 1) / window_size, /*grain=*/64);
}

}  // namespace windowkv
