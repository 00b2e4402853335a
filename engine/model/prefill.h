#ifndef WINDOWKV_ENGINE_MODEL_PREFILL_H_
#define WINDOWKV_ENGINE_MODEL_PREFILL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/kv_cache/layer_compressor.h"
#include "engine/model/llama_config.h"

namespace windowkv {

// Some rows of a prompt in one layer: projections, attention to all rows up to them, feed-forward.
// The least work between two decode steps.
struct PrefillSlice {
  int32_t layer = 0;
  int32_t begin = 0;
  int32_t end = 0;
  int64_t cost = 0;  // multiply-adds, roughly
};

// All slices of a prompt in order: each layer's rows from first to last, `chunk_rows` at a time.
// They depend on the prompt's length and policy alone, not on what else runs, so a prompt is always
// computed in the same pieces and gives the same numbers. Where all queries are observed, the last
// layer computes them all too, and attention costs about twice as much.
std::vector<PrefillSlice> PlanPrefill(const LlamaConfig& config, int32_t prompt_tokens,
                                      ObservedQueries observed, int32_t chunk_rows);

// The activations of one prompt while it is read; the scratch serves one layer after the other.
// Engine thread only.
struct PrefillState {
  at::Tensor positions;  // [tokens] int32
  at::Tensor hidden;     // [tokens, hidden_size], the residual stream
  LayerScratch scratch;
  LayerCompressor compressor;

  int32_t num_tokens() const { return static_cast<int32_t>(hidden.size(0)); }
  const int32_t* PositionsFrom(int32_t row) const {
    return positions.const_data_ptr<int32_t>() + row;
  }
  bool observes_all_queries() const { return scratch.key_mass.defined(); }
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_PREFILL_H_
