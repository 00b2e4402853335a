#include "engine/cache_policy/layer_groups.h"

#include <algorithm>
#include <functional>

#include "engine/cache_policy/always_kept.h"

namespace windowkv {
namespace {

// The authors' budgets for a mean of `cap` per layer; where shared_layers > beta would turn their
// pyramid over, all groups are equal.
void SetPyramid(int64_t cap, int64_t shared_layers, int64_t beta, std::vector<LayerGroup>& groups) {
  const int64_t num_groups = static_cast<int64_t>(groups.size());
  const int64_t last = num_groups > 1 ? std::min(cap * shared_layers / beta, cap) : cap;
  const int64_t first = 2 * cap - last;
  const int64_t step = num_groups > 1 ? (first - last) / (num_groups - 1) : 0;
  for (int64_t g = 0; g < num_groups; ++g) {
    groups[g].budget_tokens = static_cast<int32_t>(g < num_groups - 1 ? first - g * step : last);
  }
}

int64_t SumOverLayers(const std::vector<LayerGroup>& groups,
                      const std::function<int32_t(int32_t)>& budget) {
  int64_t sum = 0;
  for (const LayerGroup& group : groups) {
    sum += int64_t{group.num_layers} * budget(group.budget_tokens);
  }
  return sum;
}

// The largest level in [low, high] for which the budgets add up to at most `limit`; low when none
// does.
int32_t LargestLevel(const std::vector<LayerGroup>& groups, int32_t low, int32_t high,
                     int64_t limit, const std::function<int32_t(int32_t, int32_t)>& apply) {
  while (low < high) {
    const int32_t middle = low + (high - low + 1) / 2;
    const int64_t sum =
        SumOverLayers(groups, [&](int32_t budget) { return apply(budget, middle); });
    if (sum <= limit) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

void Level(std::vector<LayerGroup>& groups, int32_t least, int32_t most, int64_t limit) {
  const auto lower = [](int32_t budget, int32_t level) { return std::min(budget, level); };
  const auto raise = [](int32_t budget, int32_t level) { return std::max(budget, level); };
  const int32_t ceiling = LargestLevel(groups, least, most, limit, lower);
  for (LayerGroup& group : groups) group.budget_tokens = lower(group.budget_tokens, ceiling);
  const int32_t floor = LargestLevel(groups, least, most, limit, raise);
  for (LayerGroup& group : groups) group.budget_tokens = raise(group.budget_tokens, floor);
}

}  // namespace

std::vector<LayerGroup> EqualBudgets(int32_t budget, int32_t num_layers, int32_t shared_layers) {
  std::vector<LayerGroup> groups;
  for (int32_t first = 0; first < num_layers; first += shared_layers) {
    groups.push_back({first, std::min(shared_layers, num_layers - first), budget});
  }
  return groups;
}

std::vector<LayerGroup> PyramidBudgets(const CacheConfig& config, int32_t shared_layers,
                                       int32_t num_layers, int32_t prompt_tokens) {
  std::vector<LayerGroup> groups = EqualBudgets(prompt_tokens, num_layers, shared_layers);
  if (config.accounting == BudgetAccounting::kReviewOnly) {
    SetPyramid(config.budget_tokens, shared_layers, config.beta, groups);
    return groups;
  }
  if (prompt_tokens <= config.budget_tokens) return groups;
  const int32_t always = CountTokens(AlwaysKept(config, prompt_tokens));
  SetPyramid(config.budget_tokens - always, shared_layers, config.beta, groups);
  for (LayerGroup& group : groups) {
    group.budget_tokens = std::min(always + group.budget_tokens, prompt_tokens);
  }
  Level(groups, always, prompt_tokens, int64_t{config.budget_tokens} * num_layers);
  return groups;
}

}  // namespace windowkv
