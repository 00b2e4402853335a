#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/row_logprobs.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

struct Args {
  const ChosenRow* rows;
  const float* logits;
  const int32_t* ids;
  int64_t vocab_size;
  int64_t top;
  float* reported;
  int32_t* top_ids;
  double* normalisers;
};

// The `count` most likely ids, the most likely first, of equal ones the lower.
void MostLikely(const float* logits, int64_t vocab_size, int64_t count, int32_t* ids) {
  if (count == 0) return;
  const auto is_likelier = [logits](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  // A heap with the least likely in front.
  int64_t size = 0;
  for (int32_t id = 0; id < vocab_size; ++id) {
    if (size == count) {
      if (logits[id] <= logits[*ids]) continue;
      std::pop_heap(ids, ids + size--, is_likelier);
    }
    ids[size++] = id;
    std::push_heap(ids, ids + size, is_likelier);
  }
  std::sort_heap(ids, ids + size, is_likelier);
}

struct Body {
  WINDOWKV_KERNEL_INLINE static float Maximum(const float* values, int64_t count) {
    Vec highest = Splat(values[0]);
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      const Vec x = Load(values + i);
      highest = x > highest ? x : highest;
    }
    float maximum = values[0];
    for (int64_t lane = 0; lane < kLanes; ++lane) maximum = std::max(maximum, highest[lane]);
    for (; i < count; ++i) maximum = std::max(maximum, values[i]);
    return maximum;
  }

  WINDOWKV_KERNEL_INLINE static double LogSumExp(const float* values, int64_t count) {
    constexpr int64_t kRun = 64 * kLanes;  // what float32 sums hold
    const float maximum = Maximum(values, count);
    double sum = 0;
    int64_t i = 0;
    while (i + kLanes <= count) {
      Vec sums = {};
      for (const int64_t run_end = i + kRun; i < run_end && i + kLanes <= count; i += kLanes) {
        sums += Exp(Load(values + i) - maximum);
      }
      for (int64_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
    }
    for (; i < count; ++i) sum += std::exp(values[i] - maximum);
    return maximum + std::log(sum);
  }

  WINDOWKV_KERNEL_INLINE static void Run(const Args& a, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* logits = a.logits + a.rows[i].row * a.vocab_size;
      a.normalisers[i] = LogSumExp(logits, a.vocab_size);
      float* reported = a.reported + i * (1 + a.top);
      int32_t* top_ids = a.top_ids + i * a.top;
      reported[0] = logits[std::max(a.ids[a.rows[i].id_at], 0)];
      MostLikely(logits, a.vocab_size, a.top, top_ids);
      for (int64_t at = 0; at < a.top; ++at) reported[1 + at] = logits[top_ids[at]];
    }
  }
};

}  // namespace

LogprobTensors RowLogprobsCpu(const std::vector<ChosenRow>& rows, const at::Tensor& ids,
                              int32_t top, const at::Tensor& logits) {
  const auto count = static_cast<int64_t>(rows.size());
  LogprobTensors result{at::empty({count, 1 + top}, at::kFloat), at::empty({count, top}, at::kInt),
                        at::empty({count}, at::kDouble)};
  ParallelKernel<Body>(
      Args{rows.data(), logits.const_data_ptr<float>(), ids.const_data_ptr<int32_t>(),
           logits.size(1), top, result.logits.mutable_data_ptr<float>(),
           result.top_ids.mutable_data_ptr<int32_t>(),
           result.normalisers.mutable_data_ptr<double>()},
      count, /*grain=*/1);
  return result;
}

}  // namespace windowkv
