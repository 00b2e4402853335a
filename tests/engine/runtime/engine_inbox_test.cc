#include "engine/runtime/engine_inbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "engine/base/monotonic_clock.h"

namespace windowkv {
namespace {

std::unique_ptr<Sequence> Named(const char* id) {
  auto sequence = std::make_unique<Sequence>();
  sequence->request_id = id;
  return sequence;
}

class EngineInboxTest : public ::testing::Test {
 protected:
  // Without waiting.
  EngineInbox::News TakeNow() { return inbox_.Take(absl::ZeroDuration()); }

  EngineInbox inbox_;
};

TEST_F(EngineInboxTest, WhatWasAddedIsTakenOnceAndInOrder) {
  inbox_.Add(Named("a"));
  inbox_.Add(Named("b"));
  const EngineInbox::News news = inbox_.Take(absl::InfiniteDuration());
  ASSERT_EQ(news.added.size(), 2u);
  EXPECT_EQ(news.added[0]->request_id, "a");
  EXPECT_EQ(news.added[1]->request_id, "b");
  EXPECT_TRUE(news.abort.ok());
  EXPECT_FALSE(news.stopping);
  EXPECT_TRUE(TakeNow().added.empty());
}

TEST_F(EngineInboxTest, WhoeverWaitsIsWokenByEachKindOfNews) {
  const auto waits_until = [this](auto tell) {
    EngineInbox::News news;
    std::thread engine([&] { news = inbox_.Take(absl::InfiniteDuration()); });
    tell();
    engine.join();
    return news;
  };
  EXPECT_EQ(waits_until([this] { inbox_.Add(Named("a")); }).added.size(), 1u);
  EXPECT_TRUE(waits_until([this] { inbox_.Wake(); }).added.empty());
  const absl::Status lost = absl::InternalError("lost");
  EXPECT_EQ(waits_until([&] { inbox_.Abort(lost); }).abort, lost);
  EXPECT_TRUE(waits_until([this] { inbox_.Stop(); }).stopping);
}

TEST_F(EngineInboxTest, NoNewsIsMissedHoweverItMeetsTheWait) {
  EngineInbox answers;
  std::thread engine([&] {
    while (!inbox_.Take(absl::InfiniteDuration()).stopping) answers.Wake();
  });
  for (int round = 0; round < 3000; ++round) {
    if (round % 3 == 0) {
      inbox_.Add(Named("a"));
    } else if (round % 3 == 1) {
      inbox_.Wake();
    } else {
      inbox_.Abort(absl::InternalError("lost"));
    }
    answers.Take(absl::InfiniteDuration());
  }
  inbox_.Stop();
  engine.join();
}

TEST_F(EngineInboxTest, AWaitEndsAtItsDeadline) {
  const absl::Duration deadline = MonotonicNow() + absl::Milliseconds(5);
  EXPECT_TRUE(inbox_.Take(deadline).added.empty());
  EXPECT_GE(MonotonicNow(), deadline);
}

TEST_F(EngineInboxTest, AWakeCountsForOneWait) {
  inbox_.Wake();
  inbox_.Take(absl::InfiniteDuration());
  const absl::Duration deadline = MonotonicNow() + absl::Milliseconds(5);
  inbox_.Take(deadline);
  EXPECT_GE(MonotonicNow(), deadline);
}

TEST_F(EngineInboxTest, TheFirstAbortStaysAndLaterSequencesComeWithIt) {
  const absl::Status lost = absl::InternalError("the device has failed");
  inbox_.Abort(lost);
  inbox_.Abort(absl::UnavailableError("the server is shutting down"));
  EXPECT_EQ(TakeNow().abort, lost);
  inbox_.Add(Named("late"));
  const EngineInbox::News news = TakeNow();
  EXPECT_EQ(news.added.size(), 1u);
  EXPECT_EQ(news.abort, lost);
}

}  // namespace
}  // namespace windowkv
