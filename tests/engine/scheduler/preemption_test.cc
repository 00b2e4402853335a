#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/scheduler/scheduler.h"

// What happens when a request of higher priority does not fit.

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PreemptionTest : public ::testing::Test {
 protected:
  static Scheduler::Config Config(int32_t max_preemptions, int32_t max_running = 8) {
    Scheduler::Config config;
    config.max_running = max_running;
    config.max_preemptions = max_preemptions;
    return config;
  }

  // Takes `blocks` of the pool's ten blocks of eight tokens.
  static std::unique_ptr<Sequence> MakeSequence(KvCacheManager& manager, std::string id,
                                                int32_t blocks, int32_t priority, int arrival) {
    auto sequence = std::make_unique<Sequence>();
    sequence->request_id = std::move(id);
    sequence->stream = std::make_shared<TokenStream>();
    sequence->prompt.assign(static_cast<size_t>(blocks * 8 - 4), 1);
    sequence->plan = *manager.Plan(CacheConfig{}, static_cast<int32_t>(sequence->prompt.size()), 4);
    sequence->slice_costs = {1};
    sequence->priority = priority;
    sequence->arrival = absl::Seconds(arrival);
    return sequence;
  }

  void Add(Scheduler& scheduler, std::string id, int32_t blocks, int32_t priority, int arrival) {
    scheduler.Add(MakeSequence(manager_, std::move(id), blocks, priority, arrival));
  }

  static Scheduler::Config OneIsRead() {
    Scheduler::Config config = Config(1);
    config.max_reading = 1;
    return config;
  }

  // One sequence decodes and another is read, each of `blocks`.
  void BeginDecodingAndReading(Scheduler& scheduler, int32_t blocks, int32_t reading_priority) {
    Add(scheduler, "decoding", blocks, 0, 0);
    scheduler.Next(absl::Seconds(1)).admitted[0]->slices_done = 1;
    Add(scheduler, "reading", blocks, reading_priority, 1);
    scheduler.Next(absl::Seconds(2));
  }

  static std::vector<std::string> Ids(const std::vector<Sequence*>& sequences) {
    std::vector<std::string> ids;
    for (const Sequence* sequence : sequences) ids.push_back(sequence->request_id);
    return ids;
  }

  KvCacheManager manager_{{/*num_layers=*/1, /*block_size=*/8, /*block_bytes=*/64, 10}};
};

TEST_F(PreemptionTest, IsOffByDefault) {
  Scheduler scheduler(Scheduler::Config{}, &manager_);
  Add(scheduler, "low", 8, 0, 0);
  scheduler.Next(absl::Seconds(1));
  Add(scheduler, "high", 8, 5, 1);
  const Batch batch = scheduler.Next(absl::Seconds(2));
  EXPECT_THAT(batch.preempted, IsEmpty());
  EXPECT_THAT(batch.admitted, IsEmpty());
}

TEST_F(PreemptionTest, TheNewestOfTheLowestPriorityGoesFirstAndNoMoreThanMustGo) {
  Scheduler scheduler(Config(1), &manager_);
  Add(scheduler, "middle", 2, 1, 0);
  scheduler.Next(absl::Seconds(1));
  Add(scheduler, "old low", 3, 0, 1);
  scheduler.Next(absl::Seconds(2));
  Add(scheduler, "new low", 3, 0, 2);
  scheduler.Next(absl::Seconds(3));
  Add(scheduler, "high", 5, 2, 3);
  const Batch batch = scheduler.Next(absl::Seconds(4));
  EXPECT_THAT(Ids(batch.preempted), ElementsAre("new low"));
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("high"));
}

TEST_F(PreemptionTest, CanHappenOnlyWhileARequestOfHigherPriorityWaits) {
  Scheduler scheduler(Config(1), &manager_);
  Add(scheduler, "low", 8, 0, 0);
  EXPECT_FALSE(scheduler.MayPreempt());
  scheduler.Next(absl::Seconds(1));
  EXPECT_FALSE(scheduler.MayPreempt());
  Add(scheduler, "equal", 8, 0, 1);
  EXPECT_FALSE(scheduler.MayPreempt());
  Add(scheduler, "high", 8, 1, 1);
  EXPECT_TRUE(scheduler.MayPreempt());
  const Batch batch = scheduler.Next(absl::Seconds(2));
  ASSERT_THAT(Ids(batch.admitted), ElementsAre("high"));
  EXPECT_FALSE(scheduler.MayPreempt());
  // Once more would be too often.
  scheduler.Remove(batch.admitted[0]);
  ASSERT_THAT(Ids(scheduler.Next(absl::Seconds(3)).admitted), ElementsAre("low"));
  Add(scheduler, "another", 8, 1, 3);
  EXPECT_FALSE(scheduler.MayPreempt());
}

TEST_F(PreemptionTest, NothingIsPutBackWhenThatWouldNotBeEnough) {
  Scheduler scheduler(Config(1), &manager_);
  Add(scheduler, "equal", 6, 2, 0);
  Add(scheduler, "low", 3, 0, 1);
  scheduler.Next(absl::Seconds(1));
  Add(scheduler, "high", 5, 2, 3);
  const Batch batch = scheduler.Next(absl::Seconds(4));
  EXPECT_THAT(batch.preempted, IsEmpty());
  EXPECT_EQ(scheduler.running(), 2);
}

TEST_F(PreemptionTest, APlaceCanBeMadeAsWellAsBlocks) {
  Scheduler scheduler(Config(1, /*max_running=*/1), &manager_);
  Add(scheduler, "low", 1, 0, 0);
  scheduler.Next(absl::Seconds(1));
  Add(scheduler, "high", 1, 1, 3);
  const Batch batch = scheduler.Next(absl::Seconds(4));
  EXPECT_THAT(Ids(batch.preempted), ElementsAre("low"));
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("high"));
}

TEST_F(PreemptionTest, NothingIsPutBackForBlocksWhileThereIsNoPlaceToRead) {
  Scheduler scheduler(OneIsRead(), &manager_);
  BeginDecodingAndReading(scheduler, 5, /*reading_priority=*/5);
  Add(scheduler, "high", 5, 5, 2);
  EXPECT_THAT(scheduler.Next(absl::Seconds(3)).preempted, IsEmpty());
}

TEST_F(PreemptionTest, OnlyAReaderIsPutBackForAPlaceToRead) {
  Scheduler scheduler(OneIsRead(), &manager_);
  BeginDecodingAndReading(scheduler, 2, /*reading_priority=*/1);
  Add(scheduler, "high", 2, 5, 2);
  const Batch batch = scheduler.Next(absl::Seconds(3));
  EXPECT_THAT(Ids(batch.preempted), ElementsAre("reading"));
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("high"));
}

TEST_F(PreemptionTest, WhatWasPutBackKeepsItsOutputAndComputesItAgain) {
  Scheduler scheduler(Config(1), &manager_);
  Add(scheduler, "low", 8, 0, 0);
  Batch batch = scheduler.Next(absl::Seconds(1));
  Sequence* low = batch.admitted[0];
  low->slices_done = 1;
  low->output = {7, 8, 9};
  low->decoded = 2;
  Add(scheduler, "high", 8, 1, 1);
  batch = scheduler.Next(absl::Seconds(2));
  ASSERT_THAT(Ids(batch.preempted), ElementsAre("low"));
  EXPECT_FALSE(low->cache.has_value());
  EXPECT_FALSE(low->prefill_done());
  EXPECT_THAT(low->output, ElementsAre(7, 8, 9));
  EXPECT_EQ(low->preemptions, 1);
  // Behind the one it made room for, however old it is.
  EXPECT_THAT(scheduler.Next(absl::Seconds(3)).admitted, IsEmpty());
  scheduler.Remove(batch.admitted[0]);
  EXPECT_THAT(Ids(scheduler.Next(absl::Seconds(4)).admitted), ElementsAre("low"));
  EXPECT_EQ(low->admitted, absl::Seconds(1));
  low->slices_done = 1;
  EXPECT_TRUE(low->replaying());
  EXPECT_EQ(low->next_token(), 7);
  EXPECT_EQ(low->next_position(), static_cast<int32_t>(low->prompt.size()));
}

TEST_F(PreemptionTest, ARequestIsPutBackOnlySoOften) {
  Scheduler scheduler(Config(1), &manager_);
  Add(scheduler, "low", 8, 0, 0);
  scheduler.Next(absl::Seconds(1));
  Add(scheduler, "high", 8, 1, 1);
  const Batch batch = scheduler.Next(absl::Seconds(2));
  scheduler.Remove(batch.admitted[0]);
  scheduler.Next(absl::Seconds(3));
  Add(scheduler, "another", 8, 1, 3);
  EXPECT_THAT(scheduler.Next(absl::Seconds(4)).preempted, IsEmpty());
}

}  // namespace
}  // namespace windowkv
