#include "server/generation/request_log.h"

#include <string>

#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "engine/cache_policy/policy.h"
#include "server/metrics/task_label.h"

namespace windowkv {
namespace {

bool IsServersFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

void RequestLog::OnAccepted(const AcceptedEvent& event) const {
  logger_.Debug("request accepted", {{"prompt_tokens", event.prompt_tokens},
                                     {"policy", PolicyOf(event.cache.policy).name()},
                                     {"budget_tokens", event.cache.budget_tokens},
                                     {"task", TaskLabel(event.task.task)}});
}

void RequestLog::OnFinished(const FinishedEvent& event) const {
  logger_.Info("request finished",
               {{"finish_reason", event.reason == FinishReason::kStop ? "stop" : "length"},
                {"prompt_tokens", event.usage.prompt_tokens},
                {"completion_tokens", event.usage.completion_tokens},
                {"policy", PolicyOf(event.receipt.policy).name()},
                {"task", TaskLabel(event.receipt.task.task)},
                {"task_confidence", event.receipt.task.confidence},
                {"fallback_reason", event.receipt.task.fallback_reason},
                {"bytes_full", event.receipt.bytes_full},
                {"bytes_kept", event.receipt.bytes_kept},
                {"bytes_prefill_peak", event.receipt.bytes_prefill_peak},
                {"queued", event.usage.queued},
                {"prefill", event.usage.prefill},
                {"decode", event.usage.decode},
                {"selection", event.receipt.selection_time},
                {"ttft", event.usage.time_to_first_token},
                {"duration", MonotonicNow() - arrival_}});
}

void RequestLog::OnFailed(const absl::Status& status) const {
  const std::string code = absl::StatusCodeToString(status.code());
  const std::string_view message = ToStd(status.message());
  const absl::Duration duration = MonotonicNow() - arrival_;
  if (IsServersFault(status.code())) {
    logger_.Error("request failed", {{"code", code}, {"error", message}, {"duration", duration}});
  } else {
    logger_.Info("request failed", {{"code", code}, {"error", message}, {"duration", duration}});
  }
}

}  // namespace windowkv
