#include "engine/cache_policy/cache_config.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/cache_option_checks.h"
#include "engine/cache_policy/policy.h"

namespace windowkv {
namespace {

Strategy StrategyFor(Task task, TaskMapping mapping) {
  const bool mean = (task == Task::kLocalization) == (mapping == TaskMapping::kPaper);
  return mean ? Strategy::kMean : Strategy::kTopHalfMean;
}

// Tokens per layer, such that whole blocks of every layer stay within `bytes` however the layers
// share them: a layer's last block may be all but empty.
int32_t TokensForBytes(int64_t bytes, const CacheShape& shape) {
  const int64_t per_layer = bytes / (shape.num_layers * shape.bytes_per_token);
  const int64_t tokens = std::max<int64_t>(1, per_layer - (shape.block_size - 1));
  return static_cast<int32_t>(std::min<int64_t>(tokens, shape.context_length));
}

// A float is only near the fraction that was meant: 0.7F of 1000 tokens are 700, not 699.
int32_t TokensForFraction(float fraction, int32_t prompt_tokens) {
  const double at_most = std::nextafter(fraction, 2.0F);
  return std::max(1, std::min(static_cast<int32_t>(at_most * prompt_tokens), prompt_tokens));
}

int32_t ResolveBudget(const CacheOptions& options, const CacheRules& rules, int32_t prompt_tokens) {
  if (const auto* budget = std::get_if<BudgetTokens>(&options.budget)) return budget->tokens;
  if (const auto* budget = std::get_if<BudgetBytes>(&options.budget)) {
    return TokensForBytes(budget->bytes, rules.shape);
  }
  if (const auto* budget = std::get_if<BudgetFraction>(&options.budget)) {
    return TokensForFraction(budget->fraction, prompt_tokens);
  }
  return std::min(
      {rules.defaults.budget_tokens, rules.shape.context_length, rules.max_budget_tokens()});
}

absl::Status CheckBudgetWithinLimit(const CacheOptions& options, const CacheRules& rules,
                                    int32_t budget, int32_t prompt_tokens) {
  const int32_t kept = std::min(budget, prompt_tokens);
  if (kept <= rules.max_budget_tokens()) return absl::OkStatus();
  return InvalidField(BudgetField(options),
                      absl::StrCat("comes to ", kept, " tokens per layer, must be at most ",
                                   rules.max_budget_tokens(), ", this server's limit"));
}

// Tokens per layer, mean over layers.
int32_t MostKept(const CacheConfig& config, const CacheRules& rules, int32_t prompt_tokens) {
  const Policy& policy = PolicyOf(config.policy);
  const int32_t layers = rules.shape.num_layers;
  int64_t kept = 0;
  for (const LayerGroup& group : policy.Plan(config, layers, prompt_tokens)) {
    kept += int64_t{group.num_layers} * policy.MaxKept(config, group.budget_tokens, prompt_tokens);
  }
  return static_cast<int32_t>((kept + layers - 1) / layers);
}

// REVIEW_ONLY keeps more than its budget: the observation tokens come on top, and where the last
// group is short, the pyramid's mean is above the budget. The server's own default gives way.
absl::Status KeepReviewOnlyWithinLimit(const CacheOptions& options, const CacheRules& rules,
                                       int32_t prompt_tokens, CacheConfig* config) {
  if (config->accounting != BudgetAccounting::kReviewOnly) return absl::OkStatus();
  const bool is_default = std::holds_alternative<std::monostate>(options.budget);
  const int32_t limit = rules.max_budget_tokens();
  int32_t kept = MostKept(*config, rules, prompt_tokens);
  while (is_default && kept > limit && config->budget_tokens > 1) {
    config->budget_tokens = std::max(1, config->budget_tokens - (kept - limit));
    kept = MostKept(*config, rules, prompt_tokens);
  }
  if (kept <= limit) return absl::OkStatus();
  return InvalidField(
      BudgetField(options),
      absl::StrCat("comes to ", config->budget_tokens, " tokens per layer, with which ", kept,
                   " may be kept under cache.accounting REVIEW_ONLY, must keep at most ", limit,
                   ", this server's limit"));
}

// A budget that cannot hold what is always kept, and a window where there are windows.
absl::Status CheckBudgetHoldsLeast(const CacheOptions& options, const CacheConfig& config,
                                   int32_t prompt_tokens) {
  if (prompt_tokens <= config.budget_tokens) return absl::OkStatus();
  const bool total = config.accounting == BudgetAccounting::kTotal;
  const int32_t always = total ? CountTokens(AlwaysKept(config, prompt_tokens)) : 0;
  const int32_t needed = always + config.window_size;
  if (needed <= config.budget_tokens) return absl::OkStatus();
  // The whole prompt needs no room for a window to choose.
  const int32_t least = std::min(needed, prompt_tokens);
  std::string parts;
  if (total) {
    parts = absl::StrCat("the ", always, " tokens that are always kept (sink ", config.sink_tokens,
                         ", observation ", config.observation_tokens, ", pinned spans ",
                         CountTokens(config.pinned), ")");
  }
  if (config.window_size > 0) {
    absl::StrAppend(&parts, total ? " and " : "", "one window of ", config.window_size);
  }
  return InvalidField(
      BudgetField(options),
      absl::StrCat("comes to ", config.budget_tokens, " tokens per layer, must be at least ", least,
                   least < needed ? " (the whole prompt): " : ": ", parts));
}

void ResolveSelection(const CacheOptions& options, const CacheRules& rules, Task task,
                      CacheConfig* config) {
  const Policy& policy = PolicyOf(config->policy);
  const CacheDefaults& defaults = rules.defaults;
  const auto knows = [&policy](CacheOption option) { return policy.options().contains(option); };
  if (knows(CacheOption::kWindowSize)) {
    config->window_size =
        options.window_size.value_or(std::min(defaults.window_size, rules.limits.window_size));
  }
  if (knows(CacheOption::kSharedLayers)) {
    const int32_t layers = rules.shape.num_layers;
    const int32_t shared =
        defaults.shared_layers > 0 ? defaults.shared_layers : std::max(1, layers / 4);
    config->shared_layers = options.shared_layers.value_or(std::min(shared, layers));
  }
  if (knows(CacheOption::kStrategy)) {
    config->strategy = options.strategy.value_or(
        StrategyFor(task, options.task_mapping.value_or(defaults.task_mapping)));
  }
  if (knows(CacheOption::kObservationTokens)) {
    config->observation_tokens = options.observation_tokens.value_or(std::min(
        policy.default_observation_tokens(config->strategy), rules.limits.observation_tokens));
  }
  if (knows(CacheOption::kBeta)) {
    const bool is_set = defaults.beta > 0 && knows(CacheOption::kSharedLayers);
    const int32_t beta = is_set ? defaults.beta : policy.default_beta(config->shared_layers);
    config->beta = options.beta.value_or(std::min(beta, rules.limits.beta));
  }
}

}  // namespace

absl::StatusOr<CacheConfig> ResolveCacheOptions(const CacheOptions& options,
                                                const CacheRules& rules, Task task,
                                                int32_t prompt_tokens,
                                                std::vector<TokenRange> pinned) {
  WINDOWKV_RETURN_IF_ERROR(ValidateCacheOptions(options, rules));
  CacheConfig config;
  config.policy = options.policy.value_or(rules.defaults.policy);
  if (!PolicyOf(config.policy).options().contains(CacheOption::kBudget)) {
    if (prompt_tokens <= rules.max_budget_tokens()) return config;
    return InvalidField("cache.policy",
                        absl::StrCat("is FULL, which keeps all ", prompt_tokens,
                                     " prompt tokens per layer, must keep at most ",
                                     rules.max_budget_tokens(), ", this server's limit"));
  }
  config.budget_tokens = ResolveBudget(options, rules, prompt_tokens);
  WINDOWKV_RETURN_IF_ERROR(
      CheckBudgetWithinLimit(options, rules, config.budget_tokens, prompt_tokens));
  ResolveSelection(options, rules, task, &config);
  config.accounting = options.accounting.value_or(BudgetAccounting::kTotal);
  const bool total = config.accounting == BudgetAccounting::kTotal;
  const int32_t sink = std::min(rules.defaults.sink_tokens, rules.limits.sink_tokens);
  config.sink_tokens = options.sink_tokens.value_or(total ? sink : 0);
  config.pinned = Joined(std::move(pinned));
  WINDOWKV_RETURN_IF_ERROR(KeepReviewOnlyWithinLimit(options, rules, prompt_tokens, &config));
  WINDOWKV_RETURN_IF_ERROR(CheckBudgetHoldsLeast(options, config, prompt_tokens));
  return config;
}

}  // namespace windowkv
