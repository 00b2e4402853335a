#ifndef WINDOWKV_ENGINE_MODEL_PREFILL_H_
#define WINDOWKV_ENGINE_MODEL_PREFILL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/kv_cache/layer_compressor.h"
#include "engine/model/llama_config.h"

namespace windowkv {

// The steps of one layer over a whole prompt. The work between two decode steps is some rows, or
// some heads, of one of them.
enum class PrefillPhase {
  kProject,  // rows: norm, queries, keys and values, rotation
  kAttend,   // query heads: attention
  kFinish,   // rows: output projection, feed-forward
};

struct PrefillSlice {
  int32_t layer = 0;
  PrefillPhase phase = PrefillPhase::kProject;
  int32_t begin = 0;  // rows or query heads
  int32_t end = 0;
  bool last_of_phase = false;
  int64_t cost = 0;  // multiply-adds, roughly
};

// All slices of a prompt in order. They depend on the prompt's length and policy alone, not on what
// else runs, so a prompt is always computed in the same pieces and gives the same numbers.
// Attention slices take so many whole head groups that `num_threads` threads get equal numbers of
// heads: half a head's triangle is not half its work. Where all queries are observed, the last
// layer computes them all too, and attention costs about twice as much.
std::vector<PrefillSlice> PlanPrefill(const LlamaConfig& config, int32_t prompt_tokens,
                                      ObservedQueries observed, int32_t chunk_rows,
                                      int32_t num_threads = 1);

// The activations of one prompt while it is read; the scratch serves one layer after the other.
// Engine thread only.
struct PrefillState {
  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;
  at::Tensor hidden;     // [tokens, hidden_size], the residual stream
  at::Tensor q;          // [tokens, num_heads, head_dim]; attention writes its output over it
  at::Tensor logsumexp;  // [num_heads, tokens] float32 of the attention; as scratch.key_mass
  LayerScratch scratch;

  bool observes_all_queries() const { return scratch.key_mass.defined(); }
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_PREFILL_H_
