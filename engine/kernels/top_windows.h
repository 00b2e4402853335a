#ifndef WINDOWKV_ENGINE_KERNELS_TOP_WINDOWS_H_
#define WINDOWKV_ENGINE_KERNELS_TOP_WINDOWS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/base/token_range.h"
#include "engine/kernels/kept_positions.h"

namespace windowkv {

// What is to be kept of a prompt, all that can be said of it before anything is scored. A window is
// a few tokens that are kept together, or a single one.
struct WindowTopK {
  int32_t tokens = 0;              // of the prompt
  std::vector<TokenRange> always;  // kept whatever they score; sorted, not touching
  int32_t scored_tokens = 0;       // the prompt's first; windows tile them, the last may be short
  int32_t window_size = 1;
  bool costs_tokens = true;  // a window costs its tokens that are not always kept; false: one
  int32_t budget = 0;        // of the windows' cost
  int32_t capacity = 0;      // no fewer than are kept, whatever the scores
};

// Takes windows by falling score, the lower index first on a tie and what is no number as -inf,
// until one costs more than is left of the budget; keeps their tokens and those that are always
// kept.
// Each row has scores of its own; with windows of one token all rows keep equally many, else there
// must be one. On CUDA nothing waits for the device.
//   scores: [rows, ceil(scored_tokens / window_size)] float32, contiguous
KeptPositions TopWindows(const WindowTopK& wanted, const at::Tensor& scores);

// For where nothing is scored: one row without windows.
at::Tensor NoScores(at::Device device);

// The same on one kind of device, into tensors that are there.
void TopWindowsCpu(const WindowTopK& wanted, const at::Tensor& scores, KeptPositions& kept);
void TopWindowsCuda(const WindowTopK& wanted, const at::Tensor& scores, KeptPositions& kept);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_TOP_WINDOWS_H_
