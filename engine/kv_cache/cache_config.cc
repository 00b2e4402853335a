#include "engine/kv_cache/cache_config.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/kv_cache/window_selection.h"

namespace windowkv {
namespace {

constexpr int32_t kMaxWindowSize = 1024;
constexpr int32_t kMaxObservationTokens = 512;
constexpr int32_t kMaxBeta = 1024;
constexpr int32_t kMaxSinkTokens = 1024;

absl::Status CheckRange(absl::string_view field, std::optional<int32_t> value, int32_t low,
                        int32_t high) {
  if (!value || (*value >= low && *value <= high)) return absl::OkStatus();
  return InvalidField(ToStd(field),
                      absl::StrCat("is ", *value, ", must be in [", low, ", ", high, "]"));
}

absl::Status CheckBudget(const CacheOptions& options, const CacheShape& shape) {
  if (const auto* budget = std::get_if<BudgetTokens>(&options.budget)) {
    return CheckRange("cache.budget_tokens", budget->tokens, 1, shape.context_length);
  }
  if (const auto* budget = std::get_if<BudgetBytes>(&options.budget)) {
    // One token per layer takes one block per layer.
    const int64_t least = shape.num_layers * shape.block_size * shape.bytes_per_token;
    if (budget->bytes >= least) return absl::OkStatus();
    return InvalidField("cache.budget_bytes",
                        absl::StrCat("is ", budget->bytes, ", must be at least ", least,
                                     " (one block for each of ", shape.num_layers, " layers)"));
  }
  if (const auto* budget = std::get_if<BudgetFraction>(&options.budget)) {
    if (budget->fraction > 0 && budget->fraction <= 1) return absl::OkStatus();
    return InvalidField("cache.budget_fraction",
                        absl::StrCat("is ", budget->fraction, ", must be in (0, 1]"));
  }
  return absl::OkStatus();
}

// The first option that is set, or nullptr: under FULL none may be.
const char* FirstOptionSet(const CacheOptions& o) {
  if (std::holds_alternative<BudgetTokens>(o.budget)) return "cache.budget_tokens";
  if (std::holds_alternative<BudgetBytes>(o.budget)) return "cache.budget_bytes";
  if (std::holds_alternative<BudgetFraction>(o.budget)) return "cache.budget_fraction";
  if (o.window_size) return "cache.window_size";
  if (o.shared_layers) return "cache.shared_layers";
  if (o.observation_tokens) return "cache.observation_tokens";
  if (o.beta) return "cache.beta";
  if (o.strategy) return "cache.strategy";
  if (o.task_mapping) return "cache.task_mapping";
  if (o.accounting) return "cache.accounting";
  if (o.sink_tokens) return "cache.sink_tokens";
  if (!o.pinned.empty()) return "cache.pinned";
  return nullptr;
}

absl::Status CheckReviewOnly(const CacheOptions& options) {
  if (options.accounting != BudgetAccounting::kReviewOnly) return absl::OkStatus();
  if (options.sink_tokens.value_or(0) != 0) {
    return InvalidField("cache.sink_tokens",
                        absl::StrCat("is ", *options.sink_tokens,
                                     ", must be 0 under cache.accounting REVIEW_ONLY"));
  }
  if (!options.pinned.empty()) {
    return InvalidField("cache.pinned", "must be empty under cache.accounting REVIEW_ONLY");
  }
  return absl::OkStatus();
}

absl::Status CheckPinned(const std::vector<TokenRange>& pinned, int32_t limit) {
  int32_t previous_end = 0;
  for (size_t i = 0; i < pinned.size(); ++i) {
    const std::string field = absl::StrCat("cache.pinned[", i, "]");
    const std::string range = absl::StrCat("is [", pinned[i].begin, ", ", pinned[i].end, ")");
    if (pinned[i].begin < 0 || pinned[i].end <= pinned[i].begin || pinned[i].end > limit) {
      return InvalidField(
          field, absl::StrCat(range, ", must be a non-empty range inside [0, ", limit, ")"));
    }
    if (pinned[i].begin < previous_end) {
      return InvalidField(field, absl::StrCat(range, ", must not begin before the end ",
                                              previous_end, " of the range before it"));
    }
    previous_end = pinned[i].end;
  }
  return absl::OkStatus();
}

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

int32_t ResolveBudget(const CacheOptions& options, const CacheDefaults& defaults,
                      const CacheShape& shape, int32_t prompt_tokens) {
  if (const auto* budget = std::get_if<BudgetTokens>(&options.budget)) return budget->tokens;
  if (const auto* budget = std::get_if<BudgetBytes>(&options.budget)) {
    return TokensForBytes(budget->bytes, shape);
  }
  if (const auto* budget = std::get_if<BudgetFraction>(&options.budget)) {
    return std::max(1, static_cast<int32_t>(std::floor(double{budget->fraction} * prompt_tokens)));
  }
  return std::min(defaults.budget_tokens, shape.context_length);
}

// The field that gave the budget.
const char* BudgetField(const CacheOptions& options) {
  if (std::holds_alternative<BudgetBytes>(options.budget)) return "cache.budget_bytes";
  if (std::holds_alternative<BudgetFraction>(options.budget)) return "cache.budget_fraction";
  return "cache.budget_tokens";
}

// A budget that cannot hold what is always kept.
absl::Status CheckBudgetHoldsAlwaysKept(const CacheOptions& options, const CacheConfig& config,
                                        int32_t prompt_tokens) {
  if (config.accounting == BudgetAccounting::kReviewOnly || prompt_tokens <= config.budget_tokens) {
    return absl::OkStatus();
  }
  const int32_t always = CountTokens(AlwaysKept(config, prompt_tokens));
  if (always <= config.budget_tokens) return absl::OkStatus();
  return InvalidField(
      BudgetField(options),
      absl::StrCat("comes to ", config.budget_tokens, " tokens per layer, must be at least ",
                   always, ": the tokens that are always kept (sink ", config.sink_tokens,
                   ", observation ", config.observation_tokens, ", pinned spans)"));
}

}  // namespace

absl::Status ValidateCacheOptions(const CacheOptions& options, const CacheDefaults& defaults,
                                  const CacheShape& shape) {
  const CachePolicy policy = options.policy.value_or(defaults.policy);
  if (policy == CachePolicy::kFull) {
    const char* field = FirstOptionSet(options);
    if (field == nullptr) return absl::OkStatus();
    return InvalidField(
        field, absl::StrCat("does not apply to cache.policy FULL",
                            options.policy ? "" : ", the server's default", ", only to WINDOWKV"));
  }
  WINDOWKV_RETURN_IF_ERROR(CheckBudget(options, shape));
  WINDOWKV_RETURN_IF_ERROR(CheckRange("cache.window_size", options.window_size, 1, kMaxWindowSize));
  WINDOWKV_RETURN_IF_ERROR(
      CheckRange("cache.shared_layers", options.shared_layers, 1, shape.num_layers));
  WINDOWKV_RETURN_IF_ERROR(
      CheckRange("cache.observation_tokens", options.observation_tokens, 1, kMaxObservationTokens));
  WINDOWKV_RETURN_IF_ERROR(CheckRange("cache.beta", options.beta, 1, kMaxBeta));
  WINDOWKV_RETURN_IF_ERROR(CheckRange("cache.sink_tokens", options.sink_tokens, 0, kMaxSinkTokens));
  WINDOWKV_RETURN_IF_ERROR(CheckReviewOnly(options));
  return CheckPinned(options.pinned, shape.context_length);
}

absl::StatusOr<CacheConfig> ResolveCacheOptions(const CacheOptions& options,
                                                const CacheDefaults& defaults,
                                                const CacheShape& shape, Task task,
                                                int32_t prompt_tokens) {
  WINDOWKV_RETURN_IF_ERROR(ValidateCacheOptions(options, defaults, shape));
  CacheConfig config;
  config.policy = options.policy.value_or(defaults.policy);
  if (config.policy == CachePolicy::kFull) return config;
  WINDOWKV_RETURN_IF_ERROR(CheckPinned(options.pinned, prompt_tokens));
  config.budget_tokens = ResolveBudget(options, defaults, shape, prompt_tokens);
  config.window_size = options.window_size.value_or(defaults.window_size);
  const int32_t shared =
      defaults.shared_layers > 0 ? defaults.shared_layers : std::max(1, shape.num_layers / 4);
  config.shared_layers = options.shared_layers.value_or(std::min(shared, shape.num_layers));
  config.beta = options.beta.value_or(defaults.beta);
  config.strategy = options.strategy.value_or(
      StrategyFor(task, options.task_mapping.value_or(defaults.task_mapping)));
  const int32_t observation = config.strategy == Strategy::kMean ? 16 : 32;
  config.observation_tokens = options.observation_tokens.value_or(observation);
  config.accounting = options.accounting.value_or(BudgetAccounting::kTotal);
  const bool total = config.accounting == BudgetAccounting::kTotal;
  config.sink_tokens = options.sink_tokens.value_or(total ? defaults.sink_tokens : 0);
  config.pinned = options.pinned;
  WINDOWKV_RETURN_IF_ERROR(CheckBudgetHoldsAlwaysKept(options, config, prompt_tokens));
  return config;
}

}  // namespace windowkv
