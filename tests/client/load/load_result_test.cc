#include "client/load/load_result.h"

#include <gtest/gtest.h>

#include "client/error_details.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

// A completed request: its first token after `first`, the second `between` later, the end with it.
RequestRecord Completed(absl::Duration first, absl::Duration between) {
  RequestRecord record({}, {});
  record.OnMessage(first, testing::ChunkMessage("a", 1));
  record.OnMessage(first + between, testing::ChunkMessage("b", 2));
  v1::GenerateResponse finished = testing::FinishedMessage();  // 20 and 2 tokens, 1024 of 4096 B
  finished.mutable_finished()->mutable_usage()->mutable_queued()->set_nanos(30'000'000);
  record.OnMessage(first + between, finished);
  record.OnDone(first + between, absl::OkStatus());
  return record;
}

RequestRecord Failed(const absl::Status& status) {
  RequestRecord record({}, {});
  record.OnDone(absl::Milliseconds(4), status);
  return record;
}

TEST(LoadResultTest, SumsWhatCompletedRequestsBrought) {
  LoadResult result;
  result.AddEnded(Completed(absl::Milliseconds(100), absl::Milliseconds(10)), {});
  result.AddEnded(Completed(absl::Milliseconds(300), absl::Milliseconds(30)), {});
  result.wall = absl::Seconds(4);
  EXPECT_EQ(result.completed, 2);
  EXPECT_EQ(result.prompt_tokens, 40);
  EXPECT_EQ(result.output_tokens, 4);
  EXPECT_EQ(result.bytes_kept, 2048);
  EXPECT_EQ(result.bytes_full, 8192);
  EXPECT_EQ(result.time_to_first_token.Figures().mean, absl::Milliseconds(200));
  EXPECT_EQ(result.between_tokens.Figures().max, absl::Milliseconds(30));
  EXPECT_EQ(result.end_to_end.Figures().max, absl::Milliseconds(330));
  EXPECT_EQ(result.queued.Figures().mean, absl::Milliseconds(30));
  EXPECT_DOUBLE_EQ(result.PerSecond(result.prompt_tokens), 10);
}

TEST(LoadResultTest, CountsFailuresByCodeAndTheRetryDelaysWithThem) {
  const absl::Status full =
      FromRpcStatus(testing::DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "", 2));
  LoadResult result;
  result.AddEnded(Failed(full), {});
  result.AddEnded(Failed(full), {});
  result.AddEnded(Failed(absl::ResourceExhaustedError("no delay")), {});
  result.AddEnded(Failed(MarkUnreachable(absl::UnavailableError("nobody"))), {});
  EXPECT_EQ(result.failed(), 4);
  EXPECT_EQ(result.errors.at("RESOURCE_EXHAUSTED"), 3);
  EXPECT_EQ(result.errors.at("UNAVAILABLE"), 1);
  EXPECT_EQ(result.failed_with_retry_delay, 2);
  EXPECT_EQ(result.unreachable, 1);
  EXPECT_EQ(result.first_error->message(), "full");
  EXPECT_EQ(result.time_to_failure.Figures().mean, absl::Milliseconds(4));
  EXPECT_EQ(result.end_to_end.Figures().count, 0u);
}

TEST(LoadResultTest, GoodputIsWhatKeepsBothLimitsAmongAllThatWasNotCancelled) {
  const LatencyLimits limits{.time_to_first_token = absl::Milliseconds(200),
                             .between_tokens = absl::Milliseconds(20)};
  LoadResult result;
  result.AddEnded(Completed(absl::Milliseconds(200), absl::Milliseconds(20)), limits);  // just so
  result.AddEnded(Completed(absl::Milliseconds(201), absl::Milliseconds(20)), limits);
  result.AddEnded(Completed(absl::Milliseconds(200), absl::Milliseconds(21)), limits);
  result.AddEnded(Completed(absl::Milliseconds(10), absl::Milliseconds(1)), limits);
  result.AddEnded(Failed(absl::UnavailableError("draining")), limits);
  result.AddCancelled(Failed(absl::CancelledError("")));
  result.wall = absl::Seconds(8);
  EXPECT_EQ(result.good, 2);
  EXPECT_DOUBLE_EQ(result.GoodShare(), 0.4);
  EXPECT_DOUBLE_EQ(result.GoodShareOfCompleted(), 0.5);
  EXPECT_DOUBLE_EQ(result.PerSecond(result.good), 0.25);
  EXPECT_EQ(result.cancelled, 1);
}

TEST(LoadResultTest, OneLimitAloneIsEnough) {
  const RequestRecord record = Completed(absl::Milliseconds(200), absl::Milliseconds(20));
  EXPECT_TRUE(LatencyLimits{.time_to_first_token = absl::Milliseconds(200)}.Keeps(record));
  EXPECT_FALSE(LatencyLimits{.time_to_first_token = absl::Milliseconds(199)}.Keeps(record));
  EXPECT_FALSE(LatencyLimits{.between_tokens = absl::Milliseconds(19)}.Keeps(record));
  EXPECT_TRUE(LatencyLimits{}.Keeps(record));
}

TEST(LoadResultTest, WithoutATokenAFirstTokenIsNotInTime) {
  RequestRecord silent({}, {});
  silent.OnDone(absl::Milliseconds(1), absl::OkStatus());
  EXPECT_FALSE(LatencyLimits{.time_to_first_token = absl::Seconds(1)}.Keeps(silent));
  EXPECT_TRUE(LatencyLimits{.between_tokens = absl::Milliseconds(1)}.Keeps(silent));
}

TEST(LoadResultTest, NothingSentIsAllZero) {
  const LoadResult result;
  EXPECT_EQ(result.GoodShare(), 0);
  EXPECT_EQ(result.GoodShareOfCompleted(), 0);
  EXPECT_EQ(result.PerSecond(5), 0);
}

}  // namespace
}  // namespace windowkv::client
