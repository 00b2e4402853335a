#include "engine/runtime/request_end.h"

#include <gtest/gtest.h>

namespace windowkv {
namespace {

Sequence EndedSequence() {
  Sequence sequence;
  sequence.prompt.assign(100, 7);
  sequence.output = {1, 2, 3};
  sequence.arrival = absl::Seconds(10);
  sequence.admitted = absl::Seconds(11);
  sequence.last_admitted = absl::Seconds(13);  // preempted in between
  sequence.first_token = absl::Seconds(15);
  sequence.last_token = absl::Seconds(23);
  sequence.task.task = Task::kAggregation;
  sequence.receipt.policy = CachePolicy::kWindowKv;
  sequence.receipt.groups.resize(2);
  sequence.receipt.groups[0].kept_tokens = 100;
  sequence.receipt.groups[1].kept_tokens = 50;
  return sequence;
}

TEST(RequestEndTest, TimesBeginWithTheArrivalTheFirstAdmissionAndTheFirstToken) {
  const Usage usage = MakeUsage(EndedSequence());
  EXPECT_EQ(usage.prompt_tokens, 100);
  EXPECT_EQ(usage.completion_tokens, 3);
  EXPECT_EQ(usage.queued, absl::Seconds(1));
  EXPECT_EQ(usage.prefill, absl::Seconds(4));
  EXPECT_EQ(usage.decode, absl::Seconds(8));
  EXPECT_EQ(usage.time_to_first_token, absl::Seconds(5));
}

TEST(RequestEndTest, MetricsGetWhatTheClientGets) {
  const Sequence sequence = EndedSequence();
  FinishedEvent event;
  event.reason = FinishReason::kStop;
  event.usage = MakeUsage(sequence);
  event.receipt = sequence.receipt;
  event.receipt.bytes_full = 300;
  event.receipt.bytes_kept = 200;
  event.receipt.bytes_prefill_peak = 250;
  event.receipt.selection_time = absl::Milliseconds(5);
  const EngineMetrics::RequestEnd end = MakeRequestEnd(sequence, event, absl::Seconds(14));
  EXPECT_EQ(end.policy, "windowkv");
  EXPECT_EQ(end.task, "aggregation");
  EXPECT_EQ(end.finish_reason, "stop");
  EXPECT_EQ(end.prompt_tokens, 100);
  EXPECT_EQ(end.completion_tokens, 3);
  EXPECT_EQ(end.queued, absl::Seconds(1));
  EXPECT_EQ(end.prefill, absl::Seconds(4));
  EXPECT_EQ(end.decode, absl::Seconds(8));
  EXPECT_EQ(end.end_to_end, absl::Seconds(14));
  EXPECT_EQ(end.bytes_full, 300);
  EXPECT_EQ(end.bytes_kept, 200);
  EXPECT_EQ(end.bytes_prefill_peak, 250);
  EXPECT_EQ(end.selection_time, absl::Milliseconds(5));
}

TEST(RequestEndTest, EverythingWasKeptWhenEveryGroupOfACompressingPolicyKeptThePrompt) {
  Sequence sequence = EndedSequence();
  FinishedEvent event;
  const auto kept_everything = [&] {
    event.receipt = sequence.receipt;
    return MakeRequestEnd(sequence, event, absl::Seconds(1)).kept_everything;
  };
  EXPECT_FALSE(kept_everything());
  sequence.receipt.groups[1].kept_tokens = 100;
  EXPECT_TRUE(kept_everything());
  sequence.receipt.policy = CachePolicy::kFull;
  EXPECT_FALSE(kept_everything());
}

}  // namespace
}  // namespace windowkv
