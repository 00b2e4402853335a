#ifndef WINDOWKV_ENGINE_MODEL_ROPE_TABLE_H_
#define WINDOWKV_ENGINE_MODEL_ROPE_TABLE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/model/llama_config.h"

namespace windowkv {

// Cosines and sines of every position, [context_length, head_dim] float32: a row holds head_dim / 2
// cosines, then as many sines. Frequencies are rounded to float32 as transformers does, so that
// long positions agree with it.
at::Tensor MakeRopeTable(const RopeConfig& config, int64_t head_dim, int64_t context_length);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_ROPE_TABLE_H_
