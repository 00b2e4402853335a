#ifndef WINDOWKV_ENGINE_KERNELS_WINDOW_SCORES_H_
#define WINDOWKV_ENGINE_KERNELS_WINDOW_SCORES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace windowkv {

// How a window's token scores become one score: the mean, or the mean of the top half per head.
enum class WindowReduction { kMean, kTopHalfMean };

// Attention mass that the observation queries give each review token (arXiv 2503.17922,
// section 3.2): softmax in float32 over all keys, causal within the observation window, summed over
// the queries.
//   q: [observation, num_heads, head_dim], the prompt's last queries, rotated, contiguous
//   k: [tokens, num_kv_heads, head_dim], all keys of the layer, rotated, contiguous
// Returns [num_heads, tokens - observation] float32.
at::Tensor TokenScores(const at::Tensor& q, const at::Tensor& k, float scale);

// One score per window of `window_size` consecutive tokens; a short last window is scored over its
// own tokens. kTopHalfMean takes, per head, the mean of the max(1, min(window_size / 2, length))
// highest.
//   token_scores: [num_heads, tokens] float32, contiguous
// Returns [1, ceil(tokens / window_size)] float32.
at::Tensor WindowScores(const at::Tensor& token_scores, int32_t window_size,
                        WindowReduction reduction);

// The same on one kind of device, into `scores`.
void ReduceWindowsCpu(const at::Tensor& token_scores, int32_t window_size,
                      WindowReduction reduction, at::Tensor& scores);
void ReduceWindowsCuda(const at::Tensor& token_scores, int32_t window_size,
                       WindowReduction reduction, at::Tensor& scores);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_WINDOW_SCORES_H_
