#include <algorithm>
#include <functional>

#include "engine/kernels/isa.h"
#include "engine/kernels/window_scores.h"

namespace windowkv {
namespace {

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

void ReduceWindowsCpu(const at::Tensor& token_scores, int32_t window_size,
                      WindowReduction reduction, at::Tensor& scores) {
  const ReduceArgs args{token_scores.const_data_ptr<float>(),
                        scores.mutable_data_ptr<float>(),
                        token_scores.size(0),
                        token_scores.size(1),
                        window_size,
                        reduction};
  ParallelKernel<ReduceBody>(args, scores.numel(), /*grain=*/64);
}

}  // namespace windowkv
