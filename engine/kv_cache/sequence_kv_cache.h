#ifndef WINDOWKV_ENGINE_KV_CACHE_SEQUENCE_KV_CACHE_H_
#define WINDOWKV_ENGINE_KV_CACHE_SEQUENCE_KV_CACHE_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/layer_groups.h"
#include "engine/cache_policy/policy.h"
#include "engine/kv_cache/block_allocator.h"

namespace windowkv {

// What a prompt's cache will take, known before it is read. A value.
struct CachePlan {
  CacheConfig config;
  std::vector<LayerGroup> groups;
  int32_t prompt_tokens = 0;
  ObservedQueries observed = ObservedQueries::kNone;  // by the layers that drop something
  int64_t blocks = 0;                                 // all layers, growth while decoding included
  // Whether what every head keeps is written down, or that of the first, which is as many tokens.
  bool records_every_head = true;
};

// The blocks one sequence owns: a table of block ids and a cached length per layer. Returns them,
// and what is left of its reservation, when it is destroyed. Move-only; engine thread only. The
// allocator outlives it.
class SequenceKvCache {
 public:
  // The plan's blocks have been reserved in `allocator`.
  SequenceKvCache(CachePlan plan, int32_t num_layers, int32_t block_size,
                  BlockAllocator* allocator);
  SequenceKvCache(SequenceKvCache&& other) noexcept;
  SequenceKvCache& operator=(SequenceKvCache&& other) noexcept;
  ~SequenceKvCache();

  const CacheConfig& config() const { return plan_.config; }
  const std::vector<LayerGroup>& groups() const { return plan_.groups; }
  int32_t prompt_tokens() const { return plan_.prompt_tokens; }
  bool records_every_head() const { return plan_.records_every_head; }
  int32_t num_layers() const { return static_cast<int32_t>(layers_.size()); }
  // The group that `layer` belongs to.
  int32_t GroupOf(int32_t layer) const;

  // Tokens physically held in the layer; not a position.
  int32_t cached_length(int32_t layer) const { return layers_[layer].length; }
  const std::vector<int32_t>& blocks(int32_t layer) const { return layers_[layer].blocks; }
  int64_t held_blocks() const;

  // What the layers of a group keep of the prompt, known once it has been read: all of them hold
  // that many tokens from now on, and blocks taken for more are reserved again.
  void SetKept(int32_t group, KeptTokens kept);
  const KeptTokens& kept(int32_t group) const { return kept_[group]; }

  // Takes blocks for `tokens` more tokens of the layer, within the reservation.
  void Grow(int32_t layer, int32_t tokens);
  // What has grown so far stays.
  void Commit();
  // Every layer is as Commit left it; blocks taken since then are reserved again.
  void RollBack();

  // Figures for the receipt, noted while the prompt is read.
  void NoteAlive(int64_t bytes);
  void set_selection_time(absl::Duration time) { selection_time_ = time; }
  int64_t prefill_peak_bytes() const { return prefill_peak_bytes_; }
  absl::Duration selection_time() const { return selection_time_; }

 private:
  struct Layer {
    std::vector<int32_t> blocks;
    int32_t length = 0;
    int32_t committed = 0;
  };
  void Release();
  // `layer` holds no more than `length` tokens.
  void ShrinkTo(int32_t length, Layer& layer);

  CachePlan plan_;
  int32_t block_size_;
  BlockAllocator* allocator_;  // null after a move
  int64_t reserved_;           // not taken yet
  std::vector<Layer> layers_;
  std::vector<KeptTokens> kept_;  // per group
  int64_t prefill_peak_bytes_ = 0;
  absl::Duration selection_time_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_SEQUENCE_KV_CACHE_H_
