#ifndef WINDOWKV_ENGINE_KV_CACHE_LAYER_COMPRESSOR_H_
#define WINDOWKV_ENGINE_KV_CACHE_LAYER_COMPRESSOR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/kernels/kept_positions.h"
#include "engine/kernels/work_timer.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "engine/kv_cache/sequence_kv_cache.h"

namespace windowkv {

// One layer's keys and values of a whole prompt, alive while that layer is read, and the queries of
// its last tokens. All contiguous and rotated.
struct LayerScratch {
  at::Tensor k;              // [tokens, num_kv_heads, head_dim]
  at::Tensor v;              // [tokens, num_kv_heads, head_dim]
  at::Tensor observation_q;  // [observation, num_heads, head_dim]
  at::Tensor key_mass;    // [num_heads, tokens] float32; undefined unless all queries are observed
  int64_t bytes() const;  // of k and v
};

// Compresses one prompt, a layer at a time as its attention is done. On CUDA nothing waits for the
// device before the prompt's end: a layer takes blocks for what it keeps at most. Engine thread
// only.
class LayerCompressor {
 public:
  // The next layer's turn: the leader of a group observes and selects by the sequence's policy,
  // every layer copies what it keeps into packed blocks of `cache`. The scratch may be reused by
  // what is started afterwards.
  void Compress(const LayerScratch& scratch, int32_t layer, float attention_scale,
                KvCacheStore& store, SequenceKvCache& cache);

  // After the last layer: reads what was kept, and `cache` holds that.
  void Finish(SequenceKvCache& cache);

 private:
  std::vector<KeptPositions> selections_;  // of the groups so far
  WorkTimer timer_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_LAYER_COMPRESSOR_H_
