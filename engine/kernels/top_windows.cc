#include "engine/kernels/top_windows.h"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

namespace windowkv {

KeptPositions TopWindows(const WindowTopK& wanted, const at::Tensor& scores) {
  const int64_t windows = (wanted.scored_tokens + wanted.window_size - 1) / wanted.window_size;
  TORCH_CHECK(scores.size(1) == windows, windows, " windows have ", scores.size(1), " scores");
  const at::TensorOptions options = scores.options().dtype(at::kInt);
  KeptPositions kept{at::empty({scores.size(0), wanted.capacity}, options),
                     at::empty({1}, options)};
  const auto run = scores.is_cuda() ? &TopWindowsCuda : &TopWindowsCpu;
  run(wanted, scores, kept);
  return kept;
}

at::Tensor NoScores(at::Device device) {
  return at::empty({1, 0}, at::TensorOptions(device).dtype(at::kFloat));
}

}  // namespace windowkv
