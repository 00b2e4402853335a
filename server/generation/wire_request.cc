#include "server/generation/wire_request.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "server/generation/wire_enums.h"
#include "server/rpc/shortened_text.h"

namespace windowkv {
namespace {

absl::StatusOr<PromptText> ToText(const std::string& text) {
  if (text.empty()) return InvalidField("text", "is empty, must have at least one character");
  return text;
}

absl::StatusOr<PromptChat> ToChat(const v1::ChatMessages& wire) {
  if (wire.messages().empty()) {
    return InvalidField("chat.messages", "is empty, must have at least one message");
  }
  PromptChat chat;
  chat.reserve(wire.messages_size());
  for (const v1::ChatMessage& message : wire.messages()) {
    if (message.role().empty()) {
      return InvalidField(absl::StrCat("chat.messages[", chat.size(), "].role"),
                          "is empty, must be system, user or assistant");
    }
    chat.push_back({message.role(), message.content()});
  }
  return chat;
}

absl::StatusOr<PromptTokens> ToTokens(const v1::TokenIds& wire) {
  if (wire.ids().empty())
    return InvalidField("token_ids.ids", "is empty, must have at least one id");
  return PromptTokens(wire.ids().begin(), wire.ids().end());
}

absl::StatusOr<std::variant<PromptText, PromptChat, PromptTokens>> ToPrompt(
    const v1::GenerateRequest& wire) {
  switch (wire.input_case()) {
    case v1::GenerateRequest::kText:
      return ToText(wire.text());
    case v1::GenerateRequest::kChat:
      return ToChat(wire.chat());
    case v1::GenerateRequest::kTokenIds:
      return ToTokens(wire.token_ids());
    case v1::GenerateRequest::INPUT_NOT_SET:
      break;
  }
  return InvalidField("input", "is not set, must be text, chat or token_ids");
}

SamplingParams ToSampling(const v1::SamplingParams& wire, const SamplingParams& defaults) {
  SamplingParams sampling = defaults;
  if (wire.has_temperature()) sampling.temperature = wire.temperature();
  if (wire.has_top_k()) sampling.top_k = wire.top_k();
  if (wire.has_top_p()) sampling.top_p = wire.top_p();
  if (wire.has_min_p()) sampling.min_p = wire.min_p();
  if (wire.has_repetition_penalty()) sampling.repetition_penalty = wire.repetition_penalty();
  if (wire.has_presence_penalty()) sampling.presence_penalty = wire.presence_penalty();
  if (wire.has_frequency_penalty()) sampling.frequency_penalty = wire.frequency_penalty();
  if (wire.has_seed()) sampling.seed = wire.seed();
  if (!wire.stop().empty()) sampling.stop.assign(wire.stop().begin(), wire.stop().end());
  if (!wire.stop_token_ids().empty()) {
    sampling.stop_token_ids.assign(wire.stop_token_ids().begin(), wire.stop_token_ids().end());
  }
  if (wire.has_max_tokens()) sampling.max_tokens = wire.max_tokens();
  // A default gives way to what the client says.
  sampling.min_tokens = wire.has_min_tokens() ? wire.min_tokens()
                                              : std::min(sampling.min_tokens, sampling.max_tokens);
  if (wire.has_logprobs()) sampling.logprobs = wire.logprobs();
  if (!wire.logit_bias().empty()) {
    sampling.logit_bias = {wire.logit_bias().begin(), wire.logit_bias().end()};
  }
  sampling.ignore_eos = wire.ignore_eos();
  return sampling;
}

void SetBudget(const v1::CacheOptions& wire, CacheOptions* options) {
  switch (wire.budget_case()) {
    case v1::CacheOptions::kBudgetTokens:
      options->budget = BudgetTokens{wire.budget_tokens()};
      return;
    case v1::CacheOptions::kBudgetBytes:
      options->budget = BudgetBytes{wire.budget_bytes()};
      return;
    case v1::CacheOptions::kBudgetFraction:
      options->budget = BudgetFraction{wire.budget_fraction()};
      return;
    case v1::CacheOptions::BUDGET_NOT_SET:
      return;
  }
}

absl::StatusOr<PinnedSpan> ToPinnedSpan(const v1::PinnedSpan& wire, int index) {
  switch (wire.span_case()) {
    case v1::PinnedSpan::kTokens:
      return TokenRange{wire.tokens().begin(), wire.tokens().end()};
    case v1::PinnedSpan::kCharacters:
      return PinnedCharacters{wire.characters().begin(), wire.characters().end()};
    case v1::PinnedSpan::kMessage:
      return PinnedMessage{wire.message()};
    case v1::PinnedSpan::SPAN_NOT_SET:
      break;
  }
  return InvalidField(absl::StrCat("cache.pinned[", index, "].span"),
                      "is not set, must be tokens, characters or message");
}

absl::StatusOr<CacheOptions> ToCacheOptions(const v1::CacheOptions& wire) {
  CacheOptions options;
  WINDOWKV_RETURN_IF_ERROR(
      FromWireEnum("cache.policy", kCachePolicies, wire.policy(), &options.policy));
  WINDOWKV_RETURN_IF_ERROR(
      FromWireEnum("cache.strategy", kStrategies, wire.strategy(), &options.strategy));
  WINDOWKV_RETURN_IF_ERROR(FromWireEnum("cache.task_mapping", kTaskMappings, wire.task_mapping(),
                                        &options.task_mapping));
  WINDOWKV_RETURN_IF_ERROR(
      FromWireEnum("cache.accounting", kAccountings, wire.accounting(), &options.accounting));
  SetBudget(wire, &options);
  if (wire.has_window_size()) options.window_size = wire.window_size();
  if (wire.has_shared_layers()) options.shared_layers = wire.shared_layers();
  if (wire.has_observation_tokens()) options.observation_tokens = wire.observation_tokens();
  if (wire.has_beta()) options.beta = wire.beta();
  if (wire.has_sink_tokens()) options.sink_tokens = wire.sink_tokens();
  for (const v1::PinnedSpan& span : wire.pinned()) {
    WINDOWKV_ASSIGN_OR_RETURN(const PinnedSpan pinned,
                              ToPinnedSpan(span, static_cast<int>(options.pinned.size())));
    options.pinned.push_back(pinned);
  }
  options.pin_system_prompt = wire.pin_system_prompt();
  return options;
}

// A client names the task; a router sends its verdict, with the client's task if there was one.
absl::StatusOr<std::optional<TaskVerdict>> ToTaskVerdict(const v1::GenerateRequest& wire) {
  std::optional<Task> task;
  WINDOWKV_RETURN_IF_ERROR(FromWireEnum("task", kTasks, wire.task(), &task));
  if (!wire.has_task_verdict()) {
    if (!task) return std::nullopt;
    return TaskVerdict{*task, 1, ""};
  }
  const v1::TaskVerdict& verdict = wire.task_verdict();
  std::optional<Task> decided;
  WINDOWKV_RETURN_IF_ERROR(FromWireEnum("task_verdict.task", kTasks, verdict.task(), &decided));
  if (!decided) {
    return InvalidField("task_verdict.task",
                        "is not set, must be 1 (localization) or 2 (aggregation)");
  }
  if (task && *task != *decided) {
    return InvalidField("task_verdict.task", absl::StrCat("is ", verdict.task(), ", must be ",
                                                          wire.task(), ", as task is"));
  }
  // False for NaN as well.
  if (!(verdict.confidence() >= 0 && verdict.confidence() <= 1)) {
    return InvalidField("task_verdict.confidence",
                        absl::StrCat("is ", verdict.confidence(), ", must be in [0, 1]"));
  }
  if (verdict.fallback_reason().size() > kMaxFallbackReasonBytes) {
    return InvalidField("task_verdict.fallback_reason",
                        absl::StrCat("has ", verdict.fallback_reason().size(),
                                     " bytes, must have at most ", kMaxFallbackReasonBytes));
  }
  return TaskVerdict{*decided, verdict.confidence(), verdict.fallback_reason()};
}

}  // namespace

absl::StatusOr<GenerationRequest> ToGenerationRequest(const v1::GenerateRequest& wire,
                                                      std::string request_id,
                                                      const SamplingParams& defaults,
                                                      absl::Time deadline) {
  GenerationRequest request;
  request.request_id = std::move(request_id);
  WINDOWKV_ASSIGN_OR_RETURN(request.prompt, ToPrompt(wire));
  request.sampling = ToSampling(wire.sampling(), defaults);
  WINDOWKV_ASSIGN_OR_RETURN(request.cache, ToCacheOptions(wire.cache()));
  WINDOWKV_ASSIGN_OR_RETURN(request.task, ToTaskVerdict(wire));
  request.echo_kept_ranges = wire.echo_kept_ranges();
  request.priority = wire.priority();
  request.deadline = deadline;
  return request;
}

absl::StatusOr<std::variant<PromptText, PromptChat>> ToPrompt(const v1::TokenizeRequest& wire) {
  switch (wire.input_case()) {
    case v1::TokenizeRequest::kText:
      return ToText(wire.text());
    case v1::TokenizeRequest::kChat:
      return ToChat(wire.chat());
    case v1::TokenizeRequest::INPUT_NOT_SET:
      break;
  }
  return InvalidField("input", "is not set, must be text or chat");
}

}  // namespace windowkv
