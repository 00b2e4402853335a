#include "engine/cache_policy/window_selection.h"

#include <algorithm>

#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/token_selection.h"

namespace windowkv {
namespace {

int64_t DroppedWindows(const CacheConfig& config, int32_t group_budget, int32_t review) {
  return (int64_t{review} - group_budget + config.window_size - 1) / config.window_size;
}

}  // namespace

bool MustSelectWindows(const CacheConfig& config, int32_t group_budget, int32_t prompt_tokens) {
  const int32_t review = prompt_tokens - ObservationTokens(config, prompt_tokens);
  if (review == 0) return false;
  const bool total = config.accounting == BudgetAccounting::kTotal;
  return (total ? prompt_tokens : review) > group_budget;
}

int32_t MaxWindowTokens(const CacheConfig& config, int32_t group_budget, int32_t prompt_tokens) {
  if (!MustSelectWindows(config, group_budget, prompt_tokens)) return prompt_tokens;
  if (config.accounting == BudgetAccounting::kTotal) return group_budget;
  const int32_t observation = ObservationTokens(config, prompt_tokens);
  const int64_t review = prompt_tokens - observation;
  const int64_t windows = (review + config.window_size - 1) / config.window_size;
  const int64_t kept = windows - DroppedWindows(config, group_budget, review);
  const int64_t tokens = std::max<int64_t>(0, kept) * config.window_size;
  return static_cast<int32_t>(std::min(review, tokens)) + observation;
}

WindowTopK ChooseWindows(const CacheConfig& config, int32_t group_budget, int32_t prompt_tokens) {
  const int32_t review = prompt_tokens - ObservationTokens(config, prompt_tokens);
  WindowTopK wanted;
  if (config.accounting == BudgetAccounting::kTotal) {
    wanted = ChooseReviewTokens(config, group_budget, prompt_tokens);
  } else {
    wanted = ChooseTokens({{review, prompt_tokens}}, 0, review, prompt_tokens);
    wanted.costs_tokens = false;
    const int64_t dropped = DroppedWindows(config, group_budget, review);
    const int64_t windows = (int64_t{review} + config.window_size - 1) / config.window_size;
    if (dropped * config.window_size < review) {
      wanted.budget = static_cast<int32_t>(windows - dropped);
    }
  }
  wanted.window_size = config.window_size;
  return wanted;
}

}  // namespace windowkv
