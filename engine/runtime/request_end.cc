#include "engine/runtime/request_end.h"

#include <string_view>

#include "engine/cache_policy/policy.h"

namespace windowkv {
namespace {

std::string_view TaskWord(Task task) {
  return task == Task::kLocalization ? "localization" : "aggregation";
}

bool KeptEverything(const Sequence& sequence) {
  if (sequence.receipt.policy == CachePolicy::kFull) return false;
  for (const Receipt::Group& group : sequence.receipt.groups) {
    if (group.kept_tokens < static_cast<int32_t>(sequence.prompt.size())) return false;
  }
  return true;
}

}  // namespace

Usage MakeUsage(const Sequence& sequence) {
  Usage usage;
  usage.prompt_tokens = static_cast<int32_t>(sequence.prompt.size());
  usage.completion_tokens = static_cast<int32_t>(sequence.output.size());
  usage.queued = sequence.admitted - sequence.arrival;
  usage.prefill = sequence.first_token - sequence.admitted;
  usage.decode = sequence.last_token - sequence.first_token;
  usage.time_to_first_token = sequence.first_token - sequence.arrival;
  return usage;
}

EngineMetrics::RequestEnd MakeRequestEnd(const Sequence& sequence, const FinishedEvent& event,
                                         absl::Duration end_to_end) {
  EngineMetrics::RequestEnd end;
  end.policy = PolicyOf(event.receipt.policy).name();
  end.task = TaskWord(sequence.task.task);
  end.finish_reason = event.reason == FinishReason::kStop ? "stop" : "length";
  end.prompt_tokens = event.usage.prompt_tokens;
  end.completion_tokens = event.usage.completion_tokens;
  end.queued = event.usage.queued;
  end.prefill = event.usage.prefill;
  end.decode = event.usage.decode;
  end.end_to_end = end_to_end;
  end.bytes_full = event.receipt.bytes_full;
  end.bytes_kept = event.receipt.bytes_kept;
  end.bytes_prefill_peak = event.receipt.bytes_prefill_peak;
  end.selection_time = event.receipt.selection_time;
  end.kept_everything = KeptEverything(sequence);
  return end;
}

}  // namespace windowkv
