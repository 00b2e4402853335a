#ifndef WINDOWKV_ENGINE_KV_CACHE_KV_CACHE_MANAGER_H_
#define WINDOWKV_ENGINE_KV_CACHE_KV_CACHE_MANAGER_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/kv_cache/block_allocator.h"
#include "engine/kv_cache/receipt.h"
#include "engine/kv_cache/sequence_kv_cache.h"

namespace windowkv {

// Admission and accounting of the KV pool: what a request will take, whether it fits now, what it
// really held. Knows block ids and byte counts, not tensors. Engine thread only, except that the
// geometry is constant.
class KvCacheManager {
 public:
  struct Geometry {
    int32_t num_layers = 0;
    int32_t block_size = 0;   // tokens
    int64_t block_bytes = 0;  // K and V of block_size tokens in one layer
    int64_t num_blocks = 0;
  };

  explicit KvCacheManager(const Geometry& geometry);

  // What a prompt under `config` and `max_tokens` generated tokens will take. OUT_OF_RANGE, with
  // both numbers, when that is more than the whole pool.
  absl::StatusOr<CachePlan> Plan(const CacheConfig& config, int32_t prompt_tokens,
                                 int32_t max_tokens) const;

  // Reserves the plan's blocks; nothing when they are not available now.
  std::optional<SequenceKvCache> Admit(const CachePlan& plan);

  // The receipt of a prompt that was read to its end. Task, strategy and fallback are the caller's.
  Receipt MakeReceipt(const SequenceKvCache& cache, bool echo_kept_ranges) const;

  // Bytes that `tokens` tokens would take in all layers without compression, in whole blocks.
  int64_t FullBytes(int32_t tokens) const;

  const Geometry& geometry() const { return geometry_; }
  const BlockAllocator& allocator() const { return allocator_; }

 private:
  Geometry geometry_;
  BlockAllocator allocator_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_KV_CACHE_MANAGER_H_
