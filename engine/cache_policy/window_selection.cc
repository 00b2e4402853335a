#include "engine/cache_policy/window_selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/cache_policy/always_kept.h"

namespace windowkv {
namespace {

// Window indices by falling score, the lower index first on a tie. A score that is not a number
// sorts last, so that the order stays a strict one.
std::vector<int32_t> ByScore(const std::vector<float>& scores) {
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&scores](int32_t i) { return std::isnan(scores[i]) ? -INFINITY : scores[i]; };
  std::stable_sort(order.begin(), order.end(),
                   [&key](int32_t a, int32_t b) { return key(a) > key(b); });
  return order;
}

TokenRange Window(int32_t index, int32_t window_size, int32_t review) {
  return {index * window_size, std::min(review, (index + 1) * window_size)};
}

// Tokens of `window` that are in none of `ranges` (sorted, not touching).
int32_t Cost(const TokenRange& window, const std::vector<TokenRange>& ranges) {
  int32_t covered = 0;
  for (const TokenRange& range : ranges) {
    covered += std::max(0, std::min(window.end, range.end) - std::max(window.begin, range.begin));
  }
  return window.end - window.begin - covered;
}

std::vector<TokenRange> SelectWithinTotal(const CacheConfig& config, int32_t group_budget,
                                          int32_t prompt_tokens, const std::vector<float>& scores) {
  const int32_t review = prompt_tokens - ObservationTokens(config, prompt_tokens);
  const std::vector<TokenRange> always = AlwaysKept(config, prompt_tokens);
  std::vector<TokenRange> kept = always;
  int32_t left = group_budget - CountTokens(always);
  for (int32_t index : ByScore(scores)) {
    const TokenRange window = Window(index, config.window_size, review);
    const int32_t cost = Cost(window, always);
    if (cost > left) break;
    left -= cost;
    kept.push_back(window);
  }
  return Joined(std::move(kept));
}

int64_t DroppedWindows(const CacheConfig& config, int32_t group_budget, int32_t review) {
  return (int64_t{review} - group_budget + config.window_size - 1) / config.window_size;
}

std::vector<TokenRange> SelectReviewOnly(const CacheConfig& config, int32_t group_budget,
                                         int32_t prompt_tokens, const std::vector<float>& scores) {
  const int32_t review = prompt_tokens - ObservationTokens(config, prompt_tokens);
  const int64_t dropped = DroppedWindows(config, group_budget, review);
  std::vector<TokenRange> kept = {{review, prompt_tokens}};
  if (dropped * config.window_size >= review) return kept;
  const std::vector<int32_t> order = ByScore(scores);
  for (size_t i = 0; i + dropped < order.size(); ++i) {
    kept.push_back(Window(order[i], config.window_size, review));
  }
  return Joined(std::move(kept));
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

std::vector<TokenRange> SelectWindows(const CacheConfig& config, int32_t group_budget,
                                      int32_t prompt_tokens,
                                      const std::vector<float>& window_scores) {
  if (!MustSelectWindows(config, group_budget, prompt_tokens)) return {{0, prompt_tokens}};
  return config.accounting == BudgetAccounting::kTotal
             ? SelectWithinTotal(config, group_budget, prompt_tokens, window_scores)
             : SelectReviewOnly(config, group_budget, prompt_tokens, window_scores);
}

}  // namespace windowkv
