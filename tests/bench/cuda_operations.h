#ifndef WINDOWKV_TESTS_BENCH_CUDA_OPERATIONS_H_
#define WINDOWKV_TESTS_BENCH_CUDA_OPERATIONS_H_

#include "engine/model/llama_config.h"
#include "tests/bench/device_bounds.h"

// The engine's kernels on a GPU, one by one, each beside what bounds it.

namespace windowkv::bench {

constexpr int kLongPrompt = 7950;

// All that a leader layer adds to a prompt's reading but for its own copy of what it keeps.
void MeasureSelection(const LlamaConfig& model);

// Those of a decode step, of a prompt's slice and of choosing tokens.
void MeasureOperations(const LlamaConfig& config, const Bounds& bounds);

}  // namespace windowkv::bench

#endif  // WINDOWKV_TESTS_BENCH_CUDA_OPERATIONS_H_
