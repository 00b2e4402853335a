#ifndef WINDOWKV_ENGINE_KERNELS_WINDOW_SCORES_CPU_H_
#define WINDOWKV_ENGINE_KERNELS_WINDOW_SCORES_CPU_H_

#include <cstdint>

#include "engine/kernels/window_scores.h"

namespace windowkv {

// scores: [ceil(tokens / window_size)].
void ReduceWindowsCpu(const float* token_scores, int64_t num_heads, int64_t tokens,
                      int32_t window_size, WindowReduction reduction, float* scores);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_WINDOW_SCORES_CPU_H_
