#include "engine/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace windowkv {
namespace {

using ::testing::ElementsAre;

constexpr int32_t kLayers = 2;
constexpr int32_t kBlockSize = 8;

class SchedulerTest : public ::testing::Test {
 protected:
  explicit SchedulerTest(int64_t num_blocks = 40)
      : manager_({kLayers, kBlockSize, 64, num_blocks}) {}

  Scheduler Make(int32_t max_running, int64_t cost_per_step = 100) {
    return Scheduler({max_running, cost_per_step}, &manager_);
  }

  // A sequence whose cache takes `blocks_per_layer` blocks per layer.
  std::unique_ptr<Sequence> MakeSequence(std::string id, int32_t blocks_per_layer,
                                         std::vector<int64_t> slice_costs) {
    auto sequence = std::make_unique<Sequence>();
    sequence->request_id = std::move(id);
    sequence->prompt.assign(blocks_per_layer * kBlockSize - 1, 1);
    sequence->plan =
        *manager_.Plan(CacheConfig{}, static_cast<int32_t>(sequence->prompt.size()), 1);
    sequence->slice_costs = std::move(slice_costs);
    return sequence;
  }

  KvCacheManager manager_;
};

std::vector<std::string> Ids(const std::vector<Sequence*>& sequences) {
  std::vector<std::string> ids;
  for (const Sequence* sequence : sequences) ids.push_back(sequence->request_id);
  return ids;
}

// Does what the batch says to do with its prompt.
void Read(const Batch& batch) {
  if (batch.prefill != nullptr) batch.prefill->slices_done += batch.num_slices;
}

TEST_F(SchedulerTest, HasNothingToDoWithoutSequences) {
  Scheduler scheduler = Make(4);
  EXPECT_TRUE(scheduler.Next(absl::ZeroDuration()).empty());
  EXPECT_TRUE(scheduler.idle());
}

TEST_F(SchedulerTest, AdmitsInOrderOfArrivalOnePromptAtATime) {
  Scheduler scheduler = Make(4);
  scheduler.Add(MakeSequence("a", 1, {60, 60}));
  scheduler.Add(MakeSequence("b", 1, {60}));
  EXPECT_EQ(scheduler.waiting(), 2);
  Batch batch = scheduler.Next(absl::Seconds(3));
  EXPECT_EQ(batch.prefill->request_id, "a");
  EXPECT_TRUE(batch.admitted);
  EXPECT_EQ(batch.prefill->admitted, absl::Seconds(3));
  EXPECT_TRUE(batch.prefill->cache.has_value());
  Read(batch);
  batch = scheduler.Next(absl::Seconds(4));
  EXPECT_EQ(batch.prefill->request_id, "a");
  EXPECT_FALSE(batch.admitted);
  EXPECT_EQ(batch.prefill->admitted, absl::Seconds(3));
  Read(batch);
  batch = scheduler.Next(absl::Seconds(5));
  EXPECT_EQ(batch.prefill->request_id, "b");
  EXPECT_THAT(Ids(batch.decode), ElementsAre("a"));
}

TEST_F(SchedulerTest, SlicesStayWithinTheStepsCostButAreAtLeastOne) {
  Scheduler scheduler = Make(4, /*cost_per_step=*/100);
  scheduler.Add(MakeSequence("a", 1, {40, 60, 1, 500, 100, 1}));
  std::vector<size_t> taken;
  for (;;) {
    const Batch batch = scheduler.Next(absl::ZeroDuration());
    if (batch.prefill == nullptr) break;
    taken.push_back(batch.num_slices);
    Read(batch);
  }
  EXPECT_THAT(taken, ElementsAre(2, 1, 1, 1, 1));
}

TEST_F(SchedulerTest, RunningSequencesDecodeBesideAPrefill) {
  Scheduler scheduler = Make(4);
  for (const char* id : {"a", "b"}) {
    scheduler.Add(MakeSequence(id, 1, {1}));
    Read(scheduler.Next(absl::ZeroDuration()));
  }
  scheduler.Add(MakeSequence("c", 1, {100, 100, 100}));
  for (int step = 0; step < 3; ++step) {
    const Batch batch = scheduler.Next(absl::ZeroDuration());
    EXPECT_THAT(Ids(batch.decode), ElementsAre("a", "b"));
    ASSERT_NE(batch.prefill, nullptr);
    EXPECT_EQ(batch.prefill->request_id, "c");
    Read(batch);
  }
  EXPECT_THAT(Ids(scheduler.Next(absl::ZeroDuration()).decode), ElementsAre("a", "b", "c"));
}

TEST_F(SchedulerTest, AdmitsNoMoreThanMaxRunning) {
  Scheduler scheduler = Make(/*max_running=*/2);
  for (const char* id : {"a", "b", "c"}) scheduler.Add(MakeSequence(id, 1, {1}));
  Read(scheduler.Next(absl::ZeroDuration()));
  Read(scheduler.Next(absl::ZeroDuration()));
  Batch batch = scheduler.Next(absl::ZeroDuration());
  EXPECT_EQ(batch.prefill, nullptr);
  EXPECT_EQ(scheduler.running(), 2);
  EXPECT_EQ(scheduler.waiting(), 1);
  scheduler.Remove(batch.decode.front());
  batch = scheduler.Next(absl::ZeroDuration());
  EXPECT_EQ(batch.prefill->request_id, "c");
  EXPECT_THAT(Ids(batch.decode), ElementsAre("b"));
}

TEST_F(SchedulerTest, NothingOvertakesARequestThatWaitsForBlocks) {
  Scheduler scheduler = Make(8);
  scheduler.Add(MakeSequence("large", 15, {1}));   // 30 of 40 blocks
  scheduler.Add(MakeSequence("larger", 20, {1}));  // 40
  scheduler.Add(MakeSequence("small", 1, {1}));    // 2
  Batch batch = scheduler.Next(absl::ZeroDuration());
  const Sequence* large = batch.prefill;
  Read(batch);
  for (int step = 0; step < 3; ++step) {
    batch = scheduler.Next(absl::ZeroDuration());
    EXPECT_EQ(batch.prefill, nullptr);
    EXPECT_THAT(Ids(batch.decode), ElementsAre("large"));
  }
  scheduler.Remove(large);
  batch = scheduler.Next(absl::ZeroDuration());
  EXPECT_EQ(batch.prefill->request_id, "larger");
  EXPECT_EQ(manager_.allocator().available(), 0);
}

TEST_F(SchedulerTest, RemovalFreesTheBlocksInEveryState) {
  Scheduler scheduler = Make(8);
  for (const char* id : {"decoding", "reading", "waiting"}) {
    scheduler.Add(MakeSequence(id, 2, {100, 100}));
  }
  Read(scheduler.Next(absl::ZeroDuration()));
  Read(scheduler.Next(absl::ZeroDuration()));
  Read(scheduler.Next(absl::ZeroDuration()));
  std::vector<Sequence*> all;
  scheduler.ForEach([&all](Sequence& sequence) { all.push_back(&sequence); });
  ASSERT_THAT(Ids(all), ElementsAre("decoding", "reading", "waiting"));
  all[0]->cache->Grow(0, 3);
  EXPECT_EQ(manager_.allocator().available(), 40 - 8);
  EXPECT_EQ(scheduler.Remove(all[1])->request_id, "reading");
  EXPECT_EQ(manager_.allocator().available(), 40 - 4);
  EXPECT_EQ(scheduler.Remove(all[2])->request_id, "waiting");
  EXPECT_EQ(manager_.allocator().available(), 40 - 4);
  EXPECT_EQ(scheduler.Remove(all[0])->request_id, "decoding");
  EXPECT_EQ(manager_.allocator().available(), 40);
  EXPECT_TRUE(scheduler.idle());
}

TEST_F(SchedulerTest, RemovingAnUnknownSequenceDoesNothing) {
  Scheduler scheduler = Make(8);
  scheduler.Add(MakeSequence("a", 1, {1}));
  const Sequence other{};
  EXPECT_EQ(scheduler.Remove(&other), nullptr);
  EXPECT_EQ(scheduler.waiting(), 1);
}

TEST_F(SchedulerTest, TheNextPromptIsReadAfterTheOneBeingReadIsRemoved) {
  Scheduler scheduler = Make(8);
  scheduler.Add(MakeSequence("a", 1, {100, 100}));
  scheduler.Add(MakeSequence("b", 1, {100}));
  const Batch batch = scheduler.Next(absl::ZeroDuration());
  Read(batch);
  scheduler.Remove(batch.prefill);
  EXPECT_EQ(scheduler.Next(absl::ZeroDuration()).prefill->request_id, "b");
}

// Random arrivals, ends and steps: order of admission is order of arrival, limits hold throughout,
// and an empty scheduler has given everything back.
TEST_F(SchedulerTest, RandomTrafficKeepsOrderAndLimits) {
  std::mt19937 random(11);
  Scheduler scheduler = Make(/*max_running=*/4);
  int added = 0;
  std::vector<int> admitted;
  for (int step = 0; step < 5000; ++step) {
    if (step < 4000 && random() % 3 == 0) {
      scheduler.Add(MakeSequence(std::to_string(added++), static_cast<int32_t>(1 + random() % 8),
                                 std::vector<int64_t>(1 + random() % 3, 80)));
    }
    const Batch batch = scheduler.Next(absl::ZeroDuration());
    if (batch.admitted) admitted.push_back(std::stoi(batch.prefill->request_id));
    ASSERT_LE(scheduler.running(), 4);
    ASSERT_GE(manager_.allocator().available(), 0);
    Read(batch);
    if (batch.decode.empty() || random() % 2 == 0) continue;
    scheduler.Remove(batch.decode[random() % batch.decode.size()]);
  }
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(admitted.size(), static_cast<size_t>(added));
  EXPECT_TRUE(std::is_sorted(admitted.begin(), admitted.end()));
  EXPECT_EQ(manager_.allocator().available(), 40);
}

}  // namespace
}  // namespace windowkv
