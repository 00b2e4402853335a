#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/status.h"
#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/cache_policy/cache_option_checks.h"
#include "engine/cache_policy/policy.h"
#include "engine/sampling/sampling_params.h"
#include "google/protobuf/stubs/logging.h"
#include "server/generation/wire_request.h"
#include "server/rpc/status_mapping.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "windowkv/v1/generation.pb.h"

namespace windowkv {
namespace {

constexpr int32_t kContextLength = 8192;
constexpr int32_t kNumLayers = 8;
constexpr SamplingLimits kSamplingLimits = {.vocab_size = 4096, .context_length = kContextLength};

// The demo model's, on servers that are set up differently.
CacheRules RulesOf(uint8_t choice) {
  CacheRules rules;
  rules.defaults.policy = static_cast<CachePolicy>(choice % 6);
  rules.limits.budget_tokens = (choice & 64) != 0 ? 2048 : 0;
  rules.shape = {.num_layers = kNumLayers,
                 .context_length = kContextLength,
                 .bytes_per_token = 512,
                 .block_size = (choice & 128) != 0 ? 16 : 1};
  return rules;
}

// Whether a path such as "chat.messages[3].role" is one of the request's fields or oneofs.
bool IsFieldOfRequest(const std::string& path) {
  const google::protobuf::Descriptor* message = v1::GenerateRequest::descriptor();
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i < names.size(); ++i) {
    if (message == nullptr) return false;
    const std::string name = names[i].substr(0, names[i].find('['));
    if (i + 1 == names.size() && message->FindOneofByName(name) != nullptr) return true;
    const google::protobuf::FieldDescriptor* field = message->FindFieldByName(name);
    if (field == nullptr) return false;
    message = field->message_type();
  }
  return true;
}

// A refusal is INVALID_ARGUMENT, names a field of the request and arrives at the client whole.
absl::Status CheckRefused(const absl::Status& status) {
  WINDOWKV_RETURN_IF_ERROR(CheckRefusal(status, {absl::StatusCode::kInvalidArgument}, ""));
  const auto field = FieldOf(status);
  if (!field || !IsFieldOfRequest(*field)) {
    return Broken(absl::StrCat("a refusal names a field of the request: ", status.ToString()));
  }
  const absl::Status arrived = FromGrpcStatus(ToGrpcStatus(status, "r1"));
  if (arrived.message() != status.message() || FieldOf(arrived) != field) {
    return Broken("a refusal arrives at the client whole");
  }
  return absl::OkStatus();
}

absl::Status CheckPlan(const CacheConfig& config, int32_t prompt_tokens) {
  const Policy& policy = PolicyOf(config.policy);
  const bool total = config.accounting == BudgetAccounting::kTotal;
  int32_t layers = 0;
  int64_t budgets = 0;
  int32_t above = INT32_MAX;
  for (const LayerGroup& group : policy.Plan(config, kNumLayers, prompt_tokens)) {
    if (group.first_layer != layers || group.num_layers < 1)
      return Broken("groups cover the layers");
    if (group.budget_tokens < 0 || group.budget_tokens > above) {
      return Broken("budgets never grow with depth");
    }
    const bool whole = group.budget_tokens >= prompt_tokens;
    if (whole && policy.MustSelect(config, group.budget_tokens, prompt_tokens)) {
      return Broken("a layer whose budget holds the prompt keeps it");
    }
    if (total && group.budget_tokens > prompt_tokens) return Broken("budgets are of the prompt");
    above = group.budget_tokens;
    layers += group.num_layers;
    budgets += int64_t{group.num_layers} * group.budget_tokens;
    const int32_t kept = policy.MaxKept(config, group.budget_tokens, prompt_tokens);
    if (kept < 0 || kept > prompt_tokens) return Broken("what is kept is of the prompt");
  }
  if (layers != kNumLayers) return Broken("groups cover the layers");
  if (config.policy != CachePolicy::kFull && total &&
      budgets > int64_t{config.budget_tokens} * kNumLayers) {
    return Broken("the layers' budgets stay within the whole");
  }
  return absl::OkStatus();
}

absl::Status CheckConfig(const CacheConfig& config, const CacheRules& rules,
                         int32_t prompt_tokens) {
  const CacheLimits& limits = rules.limits;
  const bool total = config.accounting == BudgetAccounting::kTotal;
  const int32_t kept = config.policy == CachePolicy::kFull
                           ? prompt_tokens
                           : std::min(config.budget_tokens, prompt_tokens);
  if (kept < 1 || kept > rules.max_budget_tokens()) return Broken("budgets are within the limit");
  if (config.window_size < 0 || config.window_size > limits.window_size ||
      config.shared_layers < 0 || config.shared_layers > kNumLayers ||
      config.observation_tokens < 0 || config.observation_tokens > limits.observation_tokens ||
      config.beta < 0 || config.beta > limits.beta || config.sink_tokens < 0 ||
      config.sink_tokens > limits.sink_tokens) {
    return Broken("options are within the limits");
  }
  if (config.policy == CachePolicy::kWindowKv &&
      (config.window_size < 1 || config.shared_layers < 1 || config.beta < 1 ||
       config.observation_tokens < 1 || !config.strategy)) {
    return Broken("a policy has every option that it knows");
  }
  if (config.policy != CachePolicy::kFull && total &&
      std::min(prompt_tokens, CountTokens(AlwaysKept(config, prompt_tokens))) > kept) {
    return Broken("a budget holds what is always kept");
  }
  return CheckPlan(config, prompt_tokens);
}

// The tokens that pinned spans stand for, as if each character and each message were one.
std::vector<TokenRange> PinnedTokens(const std::vector<PinnedSpan>& spans, int32_t prompt_tokens) {
  std::vector<TokenRange> tokens;
  for (const PinnedSpan& span : spans) {
    TokenRange range;
    if (const auto* given = std::get_if<TokenRange>(&span)) range = *given;
    if (const auto* given = std::get_if<PinnedCharacters>(&span))
      range = {given->begin, given->end};
    if (const auto* given = std::get_if<PinnedMessage>(&span)) {
      range.begin = std::min(given->index, prompt_tokens - 1);
      range.end = range.begin + 1;
    }
    if (range.begin >= 0 && range.end <= prompt_tokens) tokens.push_back(range);
  }
  return tokens;
}

}  // namespace

// A byte for the server's rules, two for the prompt's length, then a GenerateRequest on the wire.
absl::Status FuzzGenerateRequest(std::string_view input) {
  FuzzInput bytes(input);
  const CacheRules rules = RulesOf(bytes.Byte());
  const int32_t prompt_tokens = 1 + bytes.Number() % kContextLength;
  const google::protobuf::LogSilencer silencer;  // of text that is not UTF-8
  v1::GenerateRequest wire;
  if (!wire.ParseFromArray(bytes.Rest().data(), static_cast<int>(bytes.Rest().size()))) {
    return absl::OkStatus();
  }
  const auto request = ToGenerationRequest(wire, "r1", {}, absl::InfiniteFuture());
  if (!request.ok()) return CheckRefused(request.status());
  const absl::Status sampling = ValidateSamplingParams(request->sampling, kSamplingLimits);
  if (!sampling.ok()) return CheckRefused(sampling);
  const absl::Status cache = ValidateCacheOptions(request->cache, rules);
  if (!cache.ok()) return CheckRefused(cache);

  const Task task = request->task ? request->task->task : rules.defaults.task;
  const auto config = ResolveCacheOptions(request->cache, rules, task, prompt_tokens,
                                          PinnedTokens(request->cache.pinned, prompt_tokens));
  if (!config.ok()) return CheckRefused(config.status());
  return CheckConfig(*config, rules, prompt_tokens);
}

}  // namespace windowkv
