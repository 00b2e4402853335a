#include "engine/cache_policy/cache_option_checks.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status.h"
#include "engine/cache_policy/policy.h"

namespace windowkv {
namespace {

absl::Status CheckRange(absl::string_view field, std::optional<int32_t> value, int32_t low,
                        int32_t high) {
  if (!value || (*value >= low && *value <= high)) return absl::OkStatus();
  return InvalidField(ToStd(field),
                      absl::StrCat("is ", *value, ", must be in [", low, ", ", high, "]"));
}

// As the protocol writes it.
std::string WireName(const Policy& policy) { return absl::AsciiStrToUpper(ToAbsl(policy.name())); }

struct SetOption {
  CacheOption option;
  const char* field;
  bool set;
};

// Every option that only some policies know, and whether the request sets it.
std::vector<SetOption> OptionsOf(const CacheOptions& o) {
  return {
      {CacheOption::kBudget, BudgetField(o), !std::holds_alternative<std::monostate>(o.budget)},
      {CacheOption::kWindowSize, "cache.window_size", o.window_size.has_value()},
      {CacheOption::kSharedLayers, "cache.shared_layers", o.shared_layers.has_value()},
      {CacheOption::kObservationTokens, "cache.observation_tokens",
       o.observation_tokens.has_value()},
      {CacheOption::kBeta, "cache.beta", o.beta.has_value()},
      {CacheOption::kStrategy, "cache.strategy", o.strategy.has_value()},
      {CacheOption::kTaskMapping, "cache.task_mapping", o.task_mapping.has_value()},
      {CacheOption::kAccounting, "cache.accounting", o.accounting.has_value()},
      {CacheOption::kSinkTokens, "cache.sink_tokens", o.sink_tokens.has_value()},
      {CacheOption::kPinned, "cache.pinned", !o.pinned.empty()},
      {CacheOption::kPinned, "cache.pin_system_prompt", o.pin_system_prompt},
  };
}

absl::Status CheckOptionsApply(const CacheOptions& options, const CacheRules& rules) {
  const Policy& policy = PolicyOf(options.policy.value_or(rules.defaults.policy));
  for (const SetOption& option : OptionsOf(options)) {
    if (!option.set || policy.options().contains(option.option)) continue;
    std::vector<std::string> others;
    for (const Policy* other : AllPolicies()) {
      if (other->options().contains(option.option)) others.push_back(WireName(*other));
    }
    return InvalidField(option.field,
                        absl::StrCat("does not apply to cache.policy ", WireName(policy),
                                     options.policy ? "" : ", the server's default", ", only to ",
                                     absl::StrJoin(others, ", ")));
  }
  return absl::OkStatus();
}

absl::Status CheckBudget(const CacheOptions& options, const CacheRules& rules) {
  const CacheShape& shape = rules.shape;
  if (const auto* budget = std::get_if<BudgetTokens>(&options.budget)) {
    return CheckRange("cache.budget_tokens", budget->tokens, 1,
                      std::min(shape.context_length, rules.max_budget_tokens()));
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
  if (options.pin_system_prompt) {
    return InvalidField("cache.pin_system_prompt",
                        "must be false under cache.accounting REVIEW_ONLY");
  }
  return absl::OkStatus();
}

// Spans of one kind come in order and do not overlap.
class SpanOrder {
 public:
  explicit SpanOrder(int32_t context_length) : context_length_(context_length) {}

  absl::Status Check(const std::string& field, const PinnedSpan& span) {
    if (const auto* tokens = std::get_if<TokenRange>(&span)) {
      return CheckRange(absl::StrCat(field, ".tokens"), tokens->begin, tokens->end, context_length_,
                        &tokens_end_);
    }
    if (const auto* characters = std::get_if<PinnedCharacters>(&span)) {
      return CheckRange(absl::StrCat(field, ".characters"), characters->begin, characters->end,
                        INT32_MAX, &characters_end_);
    }
    const int32_t index = std::get<PinnedMessage>(span).index;
    if (index < next_message_) {
      return InvalidField(absl::StrCat(field, ".message"),
                          absl::StrCat("is ", index, ", must be at least ", next_message_,
                                       ": messages are pinned in order, each once"));
    }
    next_message_ = int64_t{index} + 1;
    return absl::OkStatus();
  }

 private:
  static absl::Status CheckRange(const std::string& field, int32_t begin, int32_t end,
                                 int32_t limit, int32_t* previous_end) {
    const std::string range = absl::StrCat("is [", begin, ", ", end, ")");
    if (begin < 0 || end <= begin || end > limit) {
      return InvalidField(
          field, absl::StrCat(range, ", must be a non-empty range inside [0, ", limit, ")"));
    }
    if (begin < *previous_end) {
      return InvalidField(field, absl::StrCat(range, ", must not begin before the end ",
                                              *previous_end, " of the range before it"));
    }
    *previous_end = end;
    return absl::OkStatus();
  }

  int32_t context_length_;
  int32_t tokens_end_ = 0;
  int32_t characters_end_ = 0;
  int64_t next_message_ = 0;
};

absl::Status CheckPinned(const std::vector<PinnedSpan>& pinned, const CacheRules& rules) {
  const int64_t count = static_cast<int64_t>(pinned.size());
  if (count > rules.limits.pinned_spans) {
    return InvalidField("cache.pinned", absl::StrCat("has ", count, " spans, must have at most ",
                                                     rules.limits.pinned_spans));
  }
  SpanOrder order(rules.shape.context_length);
  for (size_t i = 0; i < pinned.size(); ++i) {
    WINDOWKV_RETURN_IF_ERROR(order.Check(absl::StrCat("cache.pinned[", i, "]"), pinned[i]));
  }
  return absl::OkStatus();
}

}  // namespace

const char* BudgetField(const CacheOptions& options) {
  if (std::holds_alternative<BudgetBytes>(options.budget)) return "cache.budget_bytes";
  if (std::holds_alternative<BudgetFraction>(options.budget)) return "cache.budget_fraction";
  return "cache.budget_tokens";
}

absl::Status ValidateCacheOptions(const CacheOptions& options, const CacheRules& rules) {
  const CacheLimits& limits = rules.limits;
  WINDOWKV_RETURN_IF_ERROR(CheckOptionsApply(options, rules));
  WINDOWKV_RETURN_IF_ERROR(CheckBudget(options, rules));
  WINDOWKV_RETURN_IF_ERROR(
      CheckRange("cache.window_size", options.window_size, 1, limits.window_size));
  WINDOWKV_RETURN_IF_ERROR(
      CheckRange("cache.shared_layers", options.shared_layers, 1, rules.shape.num_layers));
  WINDOWKV_RETURN_IF_ERROR(CheckRange("cache.observation_tokens", options.observation_tokens, 1,
                                      limits.observation_tokens));
  WINDOWKV_RETURN_IF_ERROR(CheckRange("cache.beta", options.beta, 1, limits.beta));
  WINDOWKV_RETURN_IF_ERROR(
      CheckRange("cache.sink_tokens", options.sink_tokens, 0, limits.sink_tokens));
  WINDOWKV_RETURN_IF_ERROR(CheckReviewOnly(options));
  return CheckPinned(options.pinned, rules);
}

}  // namespace windowkv
