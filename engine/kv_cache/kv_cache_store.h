#ifndef WINDOWKV_ENGINE_KV_CACHE_KV_CACHE_STORE_H_
#define WINDOWKV_ENGINE_KV_CACHE_KV_CACHE_STORE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/kernels/kept_positions.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/kv_cache/sequence_kv_cache.h"

namespace windowkv {

// The blocks' memory: one pool for all layers and sequences,
// [num_blocks, 2 (K, V), num_kv_heads, block_size, head_dim]. Pages become resident when a block is
// first written. Engine thread only.
class KvCacheStore {
 public:
  struct Config {
    int32_t num_layers = 0;
    int32_t num_kv_heads = 0;
    int32_t head_dim = 0;
    int32_t block_size = 16;
    int64_t pool_bytes = 0;
    at::ScalarType dtype = at::kFloat;
    at::Device device = at::kCPU;
  };

  // INVALID_ARGUMENT when the pool holds less than one block per layer; RESOURCE_EXHAUSTED when the
  // memory cannot be had.
  static absl::StatusOr<KvCacheStore> Create(const Config& config);

  const KvCacheManager::Geometry& geometry() const { return geometry_; }
  at::Tensor& pool() { return pool_; }

  // Copies the tokens that the layer keeps from prefill scratch into new blocks of `cache`, which
  // takes as many as can be kept.
  //   k, v: [tokens, num_kv_heads, head_dim], contiguous
  void Scatter(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept, int32_t layer,
               SequenceKvCache& cache);

 private:
  KvCacheStore(const KvCacheManager::Geometry& geometry, at::Tensor pool)
      : geometry_(geometry), pool_(std::move(pool)) {}

  KvCacheManager::Geometry geometry_;
  at::Tensor pool_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_KV_CACHE_STORE_H_
