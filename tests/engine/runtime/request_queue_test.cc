#include "engine/runtime/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/base/status.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;

// Lets requests of 10 bytes in until `waiting` wait and none runs.
void Fill(RequestQueue& queue, int waiting) {
  while (queue.waiting() < waiting) ASSERT_TRUE(queue.Enter(10).ok());
}

// Lets the pace be measured, one prompt a second, with `waiting` behind each.
void ReadOneASecond(RequestQueue& queue, int waiting) {
  Fill(queue, waiting);
  for (int second = 1; second <= 50; ++second) {
    queue.OnAdmitted(10);
    queue.OnRead(absl::Seconds(second));
    Fill(queue, waiting);
  }
}

TEST(RequestQueueTest, RefusesWhatExceedsTheNumberOfRequests) {
  RequestQueue queue({.requests = 2});
  Fill(queue, 2);
  const absl::Status status = queue.Enter(10);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 requests wait"));
  EXPECT_EQ(queue.waiting(), 2);
  queue.OnEnded(RequestQueue::Stage::kWaiting, 10);
  EXPECT_TRUE(queue.Enter(10).ok());
}

TEST(RequestQueueTest, RefusesWhatExceedsTheBytesOfPromptsButTakesOneOfAnySize) {
  RequestQueue queue({.bytes = 100});
  EXPECT_TRUE(queue.Enter(1000).ok());
  const absl::Status status = queue.Enter(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("prompts of 1000 bytes wait"));
  queue.OnAdmitted(1000);
  EXPECT_TRUE(queue.Enter(60).ok());
  EXPECT_TRUE(queue.Enter(40).ok());
  EXPECT_FALSE(queue.Enter(1).ok());
}

TEST(RequestQueueTest, RetryDelayFollowsThePaceAtWhichTheQueueMoves) {
  RequestQueue queue({.requests = 8});
  Fill(queue, 8);
  EXPECT_EQ(RetryDelayOf(queue.Enter(10)), absl::Seconds(1));  // no pace yet
  ReadOneASecond(queue, 8);
  // Half of eight, one a second.
  EXPECT_EQ(RetryDelayOf(queue.Enter(10)), absl::Seconds(4));
  EXPECT_EQ(queue.ExpectedWait(), absl::Seconds(8));
}

TEST(RequestQueueTest, TimesWithNobodyWaitingSayNothingOfThePace) {
  RequestQueue queue({.requests = 8});
  for (int hour = 0; hour < 3; ++hour) {
    Fill(queue, 1);
    queue.OnAdmitted(10);
    queue.OnRead(absl::Hours(hour));
  }
  EXPECT_EQ(queue.ExpectedWait(), std::nullopt);
}

TEST(RequestQueueTest, TimesBeforeAPromptThatWasNeverReadSayNothingOfThePace) {
  RequestQueue queue({.requests = 8});
  Fill(queue, 2);
  queue.OnAdmitted(10);
  queue.OnAdmitted(10);
  queue.OnRead(absl::Seconds(1));
  queue.OnEnded(RequestQueue::Stage::kUnread, 10);  // cancelled; then nothing for an hour
  Fill(queue, 1);
  queue.OnAdmitted(10);
  queue.OnRead(absl::Hours(1));
  EXPECT_EQ(queue.ExpectedWait(), std::nullopt);
}

TEST(RequestQueueTest, RefusesWhatWouldWaitTooLong) {
  RequestQueue queue({.wait = absl::Seconds(3)});
  ReadOneASecond(queue, 2);
  Fill(queue, 3);
  EXPECT_TRUE(queue.Enter(10).ok());  // three seconds
  const absl::Status status = queue.Enter(10);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("would wait about 4s"));
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(2));
}

TEST(RequestQueueTest, RefusesWhatWouldWaitTooLongForPromptsThatAreBeingReadThoughNobodyWaits) {
  RequestQueue queue({.wait = absl::Seconds(3)});
  ReadOneASecond(queue, 3);
  for (int i = 0; i < 3; ++i) queue.OnAdmitted(10);
  ASSERT_EQ(queue.waiting(), 0);
  EXPECT_TRUE(queue.Enter(10).ok());  // three seconds
  queue.OnAdmitted(10);
  const absl::Status status = queue.Enter(10);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("would wait about 4s"));
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(2));
}

TEST(RequestQueueTest, APaceThatWasSlowOnceDoesNotKeepEveryoneOut) {
  RequestQueue queue({.wait = absl::Seconds(3)});
  absl::Duration now;
  const auto read_two = [&](absl::Duration each) {
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(queue.Enter(10).ok());
      queue.OnAdmitted(10);
    }
    for (int i = 0; i < 2; ++i) queue.OnRead(now += each);
    for (int i = 0; i < 2; ++i) queue.OnEnded(RequestQueue::Stage::kRead, 0);
  };
  read_two(absl::Seconds(10));
  Fill(queue, 2);
  EXPECT_EQ(RetryDelayOf(queue.Enter(10)), absl::Seconds(10));
  for (int i = 0; i < 2; ++i) queue.OnEnded(RequestQueue::Stage::kWaiting, 10);
  for (int pair = 0; pair < 20; ++pair) read_two(absl::Seconds(1));
  Fill(queue, 2);
  EXPECT_TRUE(queue.Enter(10).ok());
}

TEST(RequestQueueTest, PromptsThatRunButAreNotReadYetStandBeforeANewOne) {
  RequestQueue queue({});
  Fill(queue, 2);
  for (int second = 1; second <= 50; ++second) {
    queue.OnAdmitted(10);
    if (second > 3) queue.OnRead(absl::Seconds(second));
    Fill(queue, 2);
  }
  EXPECT_EQ(queue.ExpectedWait(), absl::Seconds(5));
  queue.OnEnded(RequestQueue::Stage::kUnread, 0);
  EXPECT_EQ(queue.ExpectedWait(), absl::Seconds(4));
}

TEST(RequestQueueTest, IsIdleWhenNobodyWaitsOrRuns) {
  RequestQueue queue({});
  EXPECT_TRUE(queue.WaitUntilIdle(absl::ZeroDuration()));
  Fill(queue, 1);
  EXPECT_FALSE(queue.WaitUntilIdle(absl::ZeroDuration()));
  queue.OnAdmitted(10);
  EXPECT_EQ(queue.running(), 1);
  EXPECT_FALSE(queue.WaitUntilIdle(absl::ZeroDuration()));
  queue.OnRead(absl::Seconds(1));
  EXPECT_EQ(queue.running(), 1);
  queue.OnEnded(RequestQueue::Stage::kRead, 0);
  EXPECT_TRUE(queue.WaitUntilIdle(absl::ZeroDuration()));
}

}  // namespace
}  // namespace windowkv
