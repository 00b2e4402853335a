#include "engine/kv_cache/layer_compressor.h"

#include <utility>

#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/read_kept.h"
#include "engine/kernels/top_windows.h"

namespace windowkv {
namespace {

KeptPositions Select(const LayerScratch& scratch, const LayerGroup& group, float attention_scale,
                     const SequenceKvCache& cache) {
  const CacheConfig& config = cache.config();
  const Policy& policy = PolicyOf(config.policy);
  const int32_t tokens = cache.prompt_tokens();
  const LayerAttention attention{scratch.k, scratch.observation_q, scratch.key_mass,
                                 attention_scale};
  const ObservedScores scores = policy.MustSelect(config, group.budget_tokens, tokens)
                                    ? policy.Observe(config, attention)
                                    : ObservedScores{NoScores(scratch.k.device())};
  return policy.Select(config, group.budget_tokens, tokens, scores);
}

}  // namespace

int64_t LayerScratch::bytes() const { return static_cast<int64_t>(k.nbytes() + v.nbytes()); }

void LayerCompressor::Compress(const LayerScratch& scratch, int32_t layer, float attention_scale,
                               KvCacheStore& store, SequenceKvCache& cache) {
  timer_.Start(scratch.k.device());
  const int32_t group_index = cache.GroupOf(layer);
  const LayerGroup& group = cache.groups()[group_index];
  if (layer == group.first_layer) {
    selections_.push_back(Select(scratch, group, attention_scale, cache));
  }
  store.Scatter(scratch.k, scratch.v, selections_[group_index], layer, cache);
  timer_.Stop(scratch.k.device());
  cache.NoteAlive(cache.held_blocks() * store.geometry().block_bytes + scratch.bytes());
}

void LayerCompressor::Finish(SequenceKvCache& cache) {
  std::vector<KeptTokens> kept = ReadKept(selections_, cache.records_every_head());
  for (size_t group = 0; group < kept.size(); ++group) {
    cache.SetKept(static_cast<int32_t>(group), std::move(kept[group]));
  }
  cache.set_selection_time(timer_.Total());
}

}  // namespace windowkv
