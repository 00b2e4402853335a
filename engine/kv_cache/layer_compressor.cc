#include "engine/kv_cache/layer_compressor.h"

#include <vector>

#include "engine/base/monotonic_clock.h"
#include "engine/kernels/window_scores.h"
#include "engine/kv_cache/window_selection.h"

namespace windowkv {
namespace {

std::vector<TokenRange> Select(const LayerScratch& scratch, const LayerGroup& group,
                               float attention_scale, const SequenceKvCache& cache) {
  const CacheConfig& config = cache.config();
  const int32_t tokens = cache.prompt_tokens();
  std::vector<float> scores;
  if (MustSelect(config, group.budget_tokens, tokens)) {
    const auto reduction =
        config.strategy == Strategy::kMean ? WindowReduction::kMean : WindowReduction::kTopHalfMean;
    scores = WindowScores(TokenScores(scratch.observation_q, scratch.k, attention_scale),
                          config.window_size, reduction);
  }
  return SelectWindows(config, group.budget_tokens, tokens, scores);
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
