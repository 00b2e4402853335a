#include "engine/kv_cache/layer_compressor.h"

#include "engine/base/monotonic_clock.h"
#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"

namespace windowkv {
namespace {

KeptTokens Select(const LayerScratch& scratch, const LayerGroup& group, float attention_scale,
                  const SequenceKvCache& cache) {
  const CacheConfig& config = cache.config();
  const Policy& policy = PolicyOf(config.policy);
  const int32_t tokens = cache.prompt_tokens();
  Scores scores;
  if (policy.MustSelect(config, group.budget_tokens, tokens)) {
    scores = policy.Observe(config,
                            {scratch.k, scratch.observation_q, scratch.key_mass, attention_scale});
  }
  return policy.Select(config, group.budget_tokens, tokens, scores);
}

}  // namespace

int64_t LayerScratch::bytes() const { return static_cast<int64_t>(k.nbytes() + v.nbytes()); }

void CompressLayer(const LayerScratch& scratch, int32_t layer, float attention_scale,
                   KvCacheStore& store, SequenceKvCache& cache) {
  const absl::Duration start = MonotonicNow();
  const int32_t group_index = cache.GroupOf(layer);
  const LayerGroup& group = cache.groups()[group_index];
  if (layer == group.first_layer) {
    cache.SetKept(group_index, Select(scratch, group, attention_scale, cache));
  }
  store.Scatter(scratch.k, scratch.v, cache.kept(group_index), layer, cache);
  const int64_t held = cache.held_blocks() * store.geometry().block_bytes;
  cache.NotePrefill(held + scratch.bytes(), MonotonicNow() - start);
}

}  // namespace windowkv
