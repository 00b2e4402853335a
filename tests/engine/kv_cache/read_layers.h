#ifndef WINDOWKV_TESTS_ENGINE_KV_CACHE_READ_LAYERS_H_
#define WINDOWKV_TESTS_ENGINE_KV_CACHE_READ_LAYERS_H_

#include <cstdint>
#include <random>

#include "engine/cache_policy/policy.h"
#include "engine/kv_cache/sequence_kv_cache.h"
#include "tests/engine/cache_policy/random_prompt.h"

namespace windowkv::testing {

// Stands for the reading of a prompt's first `layers` layers: every group's leader selects by drawn
// scores, every layer takes blocks.
inline void ReadLayers(SequenceKvCache& cache, int32_t layers, std::mt19937& random) {
  const CacheConfig& config = cache.config();
  const int32_t tokens = cache.prompt_tokens();
  for (int32_t layer = 0; layer < layers; ++layer) {
    const int32_t g = cache.GroupOf(layer);
    const LayerGroup& group = cache.groups()[g];
    if (layer == group.first_layer) {
      cache.SetKept(g, Selected(config, group.budget_tokens, tokens,
                                DrawScores(random, config, tokens, /*num_kv_heads=*/2)));
    }
    cache.Grow(layer, cache.kept(g).count());
  }
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_KV_CACHE_READ_LAYERS_H_
