#include "engine/model/prefill.h"

#include <algorithm>

namespace windowkv {

std::vector<PrefillSlice> PlanPrefill(const LlamaConfig& config, int32_t prompt_tokens,
                                      ObservedQueries observed, int32_t chunk_rows) {
  const bool observes_all = observed == ObservedQueries::kAll;
  const int64_t hidden = config.hidden_size;
  const int64_t width = int64_t{config.num_heads} * config.head_dim;
  const int64_t kv_width = int64_t{config.num_kv_heads} * config.head_dim;
  const int64_t kv_cost = hidden * 2 * kv_width;
  const int64_t row_cost =
      hidden * (2 * width + 2 * kv_width + int64_t{3} * config.intermediate_size);
  // Two products for each query and key.
  const int64_t pair_cost = width * (observes_all ? 4 : 2);
  std::vector<PrefillSlice> slices;
  for (int32_t layer = 0; layer < config.num_layers; ++layer) {
    const bool last_row_only = layer + 1 == config.num_layers && !observes_all;
    for (int32_t begin = 0; begin < prompt_tokens; begin += chunk_rows) {
      const int32_t end = std::min(prompt_tokens, begin + chunk_rows);
      const int64_t rows = end - begin;
      int64_t cost = rows * row_cost + rows * (begin + end) / 2 * pair_cost;
      if (last_row_only) {
        cost = rows * kv_cost;
        if (end == prompt_tokens) cost += row_cost + end * pair_cost;
      }
      slices.push_back({layer, begin, end, cost});
    }
  }
  return slices;
}

}  // namespace windowkv
