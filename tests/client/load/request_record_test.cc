#include "client/load/request_record.h"

#include <gtest/gtest.h>

namespace windowkv::client {
namespace {

v1::GenerateResponse ChunkOf(int tokens) {
  v1::GenerateResponse message;
  for (int i = 0; i < tokens; ++i) message.mutable_chunk()->add_token_ids(i);
  if (tokens == 0) message.mutable_chunk()->set_text("");
  return message;
}

TEST(RequestRecordTest, LatenciesCountFromWhenTheRequestWasDue) {
  RequestRecord record(/*due=*/absl::Milliseconds(1000), /*sent=*/absl::Milliseconds(1030));
  record.OnMessage(absl::Milliseconds(1200), ChunkOf(1));
  record.OnMessage(absl::Milliseconds(1250), ChunkOf(1));
  record.OnDone(absl::Milliseconds(1300), absl::OkStatus());
  EXPECT_EQ(record.send_delay(), absl::Milliseconds(30));
  EXPECT_EQ(record.time_to_first_token(), absl::Milliseconds(200));
  EXPECT_EQ(record.mean_between_tokens(), absl::Milliseconds(50));
  EXPECT_EQ(record.end_to_end(), absl::Milliseconds(300));
}

TEST(RequestRecordTest, TokensOfOneMessageShareTheTimeSinceTheOneBefore) {
  RequestRecord record({}, {});
  record.OnMessage(absl::Milliseconds(100), ChunkOf(1));
  record.OnMessage(absl::Milliseconds(110), ChunkOf(1));
  record.OnMessage(absl::Milliseconds(190), ChunkOf(4));
  const LatencyFigures between = record.between_tokens().Figures();
  EXPECT_EQ(between.count, 5u);
  EXPECT_EQ(between.p50, absl::Milliseconds(20));
  EXPECT_EQ(between.mean, absl::Milliseconds(18));
  EXPECT_EQ(record.mean_between_tokens(), absl::Milliseconds(18));
}

TEST(RequestRecordTest, OnlyMessagesWithTokensCount) {
  RequestRecord record({}, {});
  v1::GenerateResponse accepted;
  accepted.mutable_accepted()->set_prompt_tokens(5);
  record.OnMessage(absl::Milliseconds(1), accepted);
  record.OnMessage(absl::Milliseconds(2), ChunkOf(0));
  EXPECT_FALSE(record.time_to_first_token());
  record.OnMessage(absl::Milliseconds(3), ChunkOf(1));
  EXPECT_EQ(record.time_to_first_token(), absl::Milliseconds(3));
  EXPECT_FALSE(record.mean_between_tokens());
}

TEST(RequestRecordTest, KeepsStatusAndTheServersLastWord) {
  RequestRecord record({}, {});
  v1::GenerateResponse finished;
  finished.mutable_finished()->mutable_usage()->set_completion_tokens(9);
  record.OnMessage(absl::Milliseconds(1), finished);
  record.OnDone(absl::Milliseconds(2), absl::InternalError("late"));
  EXPECT_EQ(record.finished().usage().completion_tokens(), 9);
  EXPECT_TRUE(absl::IsInternal(record.status()));
}

}  // namespace
}  // namespace windowkv::client
