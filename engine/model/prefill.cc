#include "engine/model/prefill.h"

#include <algorithm>
#include <numeric>

namespace windowkv {
namespace {

// Attention slices of short prompts take several heads, up to this many multiply-adds.
constexpr int64_t kAttendCost = int64_t{1} << 31;

void AddSlices(int32_t layer, PrefillPhase phase, int32_t count, int32_t step, int64_t unit_cost,
               std::vector<PrefillSlice>& slices) {
  for (int32_t begin = 0; begin < count; begin += step) {
    const int32_t end = std::min(count, begin + step);
    slices.push_back({layer, phase, begin, end, end == count, unit_cost * (end - begin)});
  }
}

}  // namespace

std::vector<PrefillSlice> PlanPrefill(const LlamaConfig& config, int32_t prompt_tokens,
                                      ObservedQueries observed, int32_t chunk_rows,
                                      int32_t num_threads) {
  const bool observes_all = observed == ObservedQueries::kAll;
  const int64_t hidden = config.hidden_size;
  const int64_t head_dim = config.head_dim;
  const int64_t project_cost = hidden * head_dim * (config.num_heads + 2 * config.num_kv_heads);
  const int64_t finish_cost =
      hidden * (head_dim * config.num_heads + int64_t{3} * config.intermediate_size);
  // Two products over the lower triangle.
  const int64_t head_cost =
      int64_t{prompt_tokens} * prompt_tokens * head_dim * (observes_all ? 2 : 1);
  const int32_t even = std::lcm(config.num_heads / config.num_kv_heads, num_threads);
  const int64_t affordable = kAttendCost / std::max<int64_t>(1, head_cost) / even * even;
  const int32_t heads = static_cast<int32_t>(
      std::min<int64_t>(config.num_heads, std::max<int64_t>(affordable, even)));
  std::vector<PrefillSlice> slices;
  for (int32_t layer = 0; layer < config.num_layers; ++layer) {
    AddSlices(layer, PrefillPhase::kProject, prompt_tokens, chunk_rows, project_cost, slices);
    const bool is_last = layer + 1 == config.num_layers;
    if (!is_last || observes_all) {
      AddSlices(layer, PrefillPhase::kAttend, config.num_heads, heads, head_cost, slices);
    } else {
      const int64_t last_token_cost = int64_t{prompt_tokens} * head_dim * 2;
      AddSlices(layer, PrefillPhase::kAttend, config.num_heads, config.num_heads, last_token_cost,
                slices);
    }
    if (!is_last) {
      AddSlices(layer, PrefillPhase::kFinish, prompt_tokens, chunk_rows, finish_cost, slices);
    } else {
      // Only the last token's output of the last layer is used.
      slices.push_back(
          {layer, PrefillPhase::kFinish, prompt_tokens - 1, prompt_tokens, true, finish_cost});
    }
  }
  return slices;
}

}  // namespace windowkv
