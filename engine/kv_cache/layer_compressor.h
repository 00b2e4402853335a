#ifndef WINDOWKV_ENGINE_KV_CACHE_LAYER_COMPRESSOR_H_
#define WINDOWKV_ENGINE_KV_CACHE_LAYER_COMPRESSOR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

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

// Called when the attention of `layer` is done: the leader of a group observes and selects by the
// sequence's policy, every layer copies what it keeps into packed blocks of `cache`. The scratch
// may be reused afterwards.
void CompressLayer(const LayerScratch& scratch, int32_t layer, float attention_scale,
                   KvCacheStore& store, SequenceKvCache& cache);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_LAYER_COMPRESSOR_H_
