#include "engine/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int32_t kLayers = 2;
constexpr int32_t kBlockSize = 8;

class SchedulerTest : public ::testing::Test {
 protected:
  Scheduler Make(const Scheduler::Config& config = {}) { return Scheduler(config, &manager_); }

  // A sequence whose cache takes `blocks_per_layer` blocks in each of two layers.
  std::unique_ptr<Sequence> MakeSequence(std::string id, int32_t blocks_per_layer,
                                         std::vector<int64_t> slice_costs,
                                         absl::Duration arrival = absl::ZeroDuration(),
                                         int32_t priority = 0) {
    auto sequence = std::make_unique<Sequence>();
    sequence->request_id = std::move(id);
    sequence->stream = std::make_shared<TokenStream>();
    sequence->prompt.assign(static_cast<size_t>(blocks_per_layer * kBlockSize - 1), 1);
    sequence->plan =
        *manager_.Plan(CacheConfig{}, static_cast<int32_t>(sequence->prompt.size()), 1);
    sequence->slice_costs = std::move(slice_costs);
    sequence->arrival = arrival;
    sequence->priority = priority;
    return sequence;
  }

  KvCacheManager manager_{{kLayers, kBlockSize, 64, 40}};
};

std::vector<std::string> Ids(const std::vector<Sequence*>& sequences) {
  std::vector<std::string> ids;
  for (const Sequence* sequence : sequences) ids.push_back(sequence->request_id);
  return ids;
}

// "a:2" for two slices of a.
std::vector<std::string> Reads(const Batch& batch) {
  std::vector<std::string> reads;
  for (const PrefillWork& work : batch.prefill) {
    reads.push_back(work.sequence->request_id + ":" + std::to_string(work.num_slices));
  }
  return reads;
}

// Does what the batch says: prompts are read, the newly read and the decoding have one token more.
void RunBatch(const Batch& batch) {
  for (Sequence* sequence : batch.decode) {
    ++sequence->decoded;
    if (!sequence->replaying()) sequence->output.push_back(1);
  }
  for (const PrefillWork& work : batch.prefill) {
    work.sequence->slices_done += work.num_slices;
    if (work.sequence->prefill_done() && work.sequence->output.empty()) {
      work.sequence->output.push_back(1);
    }
  }
}

TEST_F(SchedulerTest, HasNothingToDoWithoutSequences) {
  Scheduler scheduler = Make();
  EXPECT_TRUE(scheduler.Next(absl::ZeroDuration()).empty());
  EXPECT_TRUE(scheduler.idle());
}

TEST_F(SchedulerTest, AdmitsWhatFitsInOrderOfArrivalAndNotesWhen) {
  Scheduler scheduler = Make();
  scheduler.Add(MakeSequence("b", 1, {60}, absl::Seconds(2)));
  scheduler.Add(MakeSequence("a", 1, {60, 60}, absl::Seconds(1)));
  EXPECT_EQ(scheduler.waiting(), 2);
  const Batch batch = scheduler.Next(absl::Seconds(3));
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("a", "b"));
  EXPECT_EQ(batch.admitted[0]->admitted, absl::Seconds(3));
  EXPECT_TRUE(batch.admitted[0]->cache.has_value());
  RunBatch(batch);
  EXPECT_THAT(scheduler.Next(absl::Seconds(4)).admitted, IsEmpty());
}

TEST_F(SchedulerTest, ReadsOneSliceAStepUntilItKnowsWhatSlicesCost) {
  Scheduler scheduler = Make();
  scheduler.Add(MakeSequence("a", 1, {100, 100, 100}));
  EXPECT_THAT(Reads(scheduler.Next(absl::ZeroDuration())), ElementsAre("a:1"));
}

TEST_F(SchedulerTest, ReadsWhatTheTargetLeavesBesideADecodeStepButAtLeastOneSlice) {
  for (const auto& [target_ms, slices] : std::vector<std::pair<int, std::string>>{
           {0, "b:4"}, {10, "b:5"}, {8, "b:3"}, {6, "b:1"}, {1, "b:1"}}) {
    SCOPED_TRACE(target_ms);
    Scheduler scheduler = Make({.target_itl = absl::Milliseconds(target_ms)});
    scheduler.Add(MakeSequence("a", 1, {100}));
    RunBatch(scheduler.Next(absl::ZeroDuration()));
    scheduler.costs().OnDecode(absl::Milliseconds(5));
    scheduler.costs().OnPrefill(100, absl::Milliseconds(1));
    scheduler.Add(MakeSequence("b", 1, std::vector<int64_t>(20, 100)));
    const Batch batch = scheduler.Next(absl::ZeroDuration());
    EXPECT_THAT(Ids(batch.decode), ElementsAre("a"));
    EXPECT_THAT(Reads(batch), ElementsAre(slices));
  }
}

TEST_F(SchedulerTest, ManyPromptsBehindFewStreamsAreReadFasterThanStreamsDecode) {
  Scheduler scheduler = Make();
  scheduler.Add(MakeSequence("a", 1, {100}));
  RunBatch(scheduler.Next(absl::ZeroDuration()));
  scheduler.costs().OnDecode(absl::Milliseconds(5));
  scheduler.costs().OnPrefill(100, absl::Milliseconds(1));
  for (const char* id : {"b", "c", "d"}) {
    scheduler.Add(MakeSequence(id, 1, std::vector<int64_t>(20, 100)));
  }
  EXPECT_THAT(Reads(scheduler.Next(absl::ZeroDuration())), ElementsAre("b:12"));
}

TEST_F(SchedulerTest, SlicesPerStepFollowTheMeasuredCost) {
  Scheduler scheduler = Make({.target_itl = absl::Milliseconds(10)});
  scheduler.Add(MakeSequence("a", 1, {100}));
  RunBatch(scheduler.Next(absl::ZeroDuration()));
  scheduler.Add(MakeSequence("b", 1, std::vector<int64_t>(100, 100)));
  scheduler.costs().OnPrefill(100, absl::Milliseconds(1));
  EXPECT_THAT(Reads(scheduler.Next(absl::ZeroDuration())), ElementsAre("b:10"));
  for (int i = 0; i < 30; ++i) scheduler.costs().OnPrefill(100, absl::Milliseconds(5));
  EXPECT_THAT(Reads(scheduler.Next(absl::ZeroDuration())), ElementsAre("b:2"));
}

TEST_F(SchedulerTest, AFewRowsThatTookLongHardlyChangeWhatALongPromptIsSaidToTake) {
  Scheduler scheduler = Make();
  for (int i = 0; i < 5; ++i) scheduler.costs().OnPrefill(10'000, absl::Milliseconds(100));
  scheduler.costs().OnPrefill(10, absl::Milliseconds(100));
  EXPECT_LT(scheduler.costs().PrefillTime(100'000), absl::Milliseconds(1500));
}

TEST_F(SchedulerTest, ShortPromptsAreReadTogetherInOneStep) {
  Scheduler scheduler = Make();
  scheduler.costs().OnPrefill(100, absl::Milliseconds(1));
  for (const char* id : {"a", "b", "c"}) scheduler.Add(MakeSequence(id, 1, {100, 100}));
  EXPECT_THAT(Reads(scheduler.Next(absl::ZeroDuration())), ElementsAre("a:2", "b:2", "c:2"));
}

TEST_F(SchedulerTest, ShortPromptsPassALongOneThatHasNotWaitedFourTimesWhatItTakes) {
  Scheduler scheduler = Make();
  scheduler.costs().OnPrefill(100, absl::Milliseconds(1));
  scheduler.Add(MakeSequence("long", 4, std::vector<int64_t>(100, 100)));
  RunBatch(scheduler.Next(absl::ZeroDuration()));  // 25 ms of its 100
  scheduler.Add(MakeSequence("short", 1, {100}, absl::Milliseconds(25)));
  EXPECT_THAT(Reads(scheduler.Next(absl::Milliseconds(25))), ElementsAre("short:1", "long:24"));
}

TEST_F(SchedulerTest, ALongPromptThatHasWaitedLongIsNotPassed) {
  Scheduler scheduler = Make();
  scheduler.costs().OnPrefill(100, absl::Milliseconds(1));
  scheduler.Add(MakeSequence("long", 4, std::vector<int64_t>(100, 100)));
  scheduler.Add(MakeSequence("short", 1, {100}, absl::Milliseconds(400)));
  EXPECT_THAT(Reads(scheduler.Next(absl::Milliseconds(401))), ElementsAre("long:25"));
}

TEST_F(SchedulerTest, RunningSequencesDecodeBesideAPrefill) {
  Scheduler scheduler = Make();
  for (const char* id : {"a", "b"}) scheduler.Add(MakeSequence(id, 1, {1}));
  RunBatch(scheduler.Next(absl::ZeroDuration()));
  RunBatch(scheduler.Next(absl::ZeroDuration()));
  scheduler.Add(MakeSequence("c", 1, {100, 100}));
  for (int step = 0; step < 2; ++step) {
    const Batch batch = scheduler.Next(absl::ZeroDuration());
    EXPECT_THAT(Ids(batch.decode), ElementsAre("a", "b"));
    EXPECT_THAT(Reads(batch), ElementsAre("c:1"));
    RunBatch(batch);
  }
  EXPECT_THAT(Ids(scheduler.Next(absl::ZeroDuration()).decode), ElementsAre("a", "b", "c"));
}

TEST_F(SchedulerTest, ASequenceWhoseReaderIsBehindDoesNotDecodeUntilItHasCaughtUp) {
  Scheduler scheduler = Make();
  for (const char* id : {"slow", "quick"}) scheduler.Add(MakeSequence(id, 1, {1}));
  RunBatch(scheduler.Next(absl::ZeroDuration()));
  RunBatch(scheduler.Next(absl::ZeroDuration()));
  TokenStream& stream = *scheduler.Next(absl::ZeroDuration()).decode[0]->stream;
  while (!stream.congested()) stream.Push(AcceptedEvent{});
  EXPECT_THAT(Ids(scheduler.Next(absl::ZeroDuration()).decode), ElementsAre("quick"));
  stream.TryNext();
  EXPECT_THAT(Ids(scheduler.Next(absl::ZeroDuration()).decode), ElementsAre("slow", "quick"));
}

TEST_F(SchedulerTest, AdmitsNoMoreThanMaxRunning) {
  Scheduler scheduler = Make({.max_running = 2});
  for (const char* id : {"a", "b", "c"}) scheduler.Add(MakeSequence(id, 1, {1}));
  Batch batch = scheduler.Next(absl::ZeroDuration());
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("a", "b"));
  scheduler.Remove(batch.admitted.front());
  batch = scheduler.Next(absl::ZeroDuration());
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("c"));
}

TEST_F(SchedulerTest, ReadsNoMorePromptsAtOnceThanItMay) {
  Scheduler scheduler = Make({.max_reading = 2});
  for (const char* id : {"a", "b", "c"}) scheduler.Add(MakeSequence(id, 1, {1}));
  const Batch batch = scheduler.Next(absl::ZeroDuration());
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("a", "b"));
  RunBatch(batch);  // reads the first
  EXPECT_THAT(Ids(scheduler.Next(absl::ZeroDuration()).admitted), ElementsAre("c"));
}

TEST_F(SchedulerTest, ReadsNoMoreTokensAtOnceThanItMayButAnyPromptAlone) {
  Scheduler scheduler = Make({.max_reading_tokens = 16});
  scheduler.Add(MakeSequence("long", 3, {1}));                      // 23 tokens
  scheduler.Add(MakeSequence("a", 1, {1}, absl::Milliseconds(1)));  // 7
  scheduler.Add(MakeSequence("b", 2, {1}, absl::Milliseconds(2)));  // 15
  scheduler.Add(MakeSequence("c", 1, {1}, absl::Milliseconds(3)));  // 7
  Batch batch = scheduler.Next(absl::ZeroDuration());
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("long"));
  RunBatch(batch);
  batch = scheduler.Next(absl::Milliseconds(4));
  EXPECT_THAT(Ids(batch.admitted), ElementsAre("a", "c"));
}

TEST_F(SchedulerTest, WaitingForAPlaceDoesNotUseUpTheTimeOfBeingOvertaken) {
  Scheduler scheduler = Make({.max_reading = 1, .overtaking = absl::Seconds(1)});
  scheduler.Add(MakeSequence("reading", 15, {1, 1}));  // 30 of 40 blocks
  const Batch first = scheduler.Next(absl::ZeroDuration());
  scheduler.Add(MakeSequence("large", 10, {1}, absl::Milliseconds(1)));  // 20
  scheduler.Add(MakeSequence("small", 1, {1}, absl::Milliseconds(2)));   // 2
  EXPECT_THAT(scheduler.Next(absl::Seconds(1)).admitted, IsEmpty());
  first.admitted[0]->slices_done = 2;
  EXPECT_THAT(Ids(scheduler.Next(absl::Seconds(5)).admitted), ElementsAre("small"));
}

TEST_F(SchedulerTest, ARequestThatDoesNotFitIsOvertakenForALimitedTimeOnly) {
  Scheduler scheduler = Make({.overtaking = absl::Seconds(1)});
  scheduler.Add(MakeSequence("large", 15, {1}));  // 30 of 40 blocks
  const Batch first = scheduler.Next(absl::ZeroDuration());
  scheduler.Add(MakeSequence("larger", 20, {1}, absl::Milliseconds(1)));  // 40
  scheduler.Add(MakeSequence("small", 1, {1}, absl::Milliseconds(2)));    // 2
  EXPECT_THAT(Ids(scheduler.Next(absl::Seconds(1)).admitted), ElementsAre("small"));
  scheduler.Add(MakeSequence("late", 1, {1}, absl::Milliseconds(3)));
  EXPECT_THAT(scheduler.Next(absl::Seconds(2)).admitted, IsEmpty());
  scheduler.Remove(first.admitted[0]);
  EXPECT_THAT(scheduler.Next(absl::Seconds(3)).admitted, IsEmpty());  // small holds 2 blocks
}

TEST_F(SchedulerTest, PrioritiesOvertakeButALevelIsWorthOnlySoMuchWaiting) {
  Scheduler scheduler = Make({.max_running = 1, .ageing = absl::Seconds(10)});
  scheduler.Add(MakeSequence("running", 1, {1}));
  const Batch first = scheduler.Next(absl::ZeroDuration());
  scheduler.Add(MakeSequence("old", 1, {1}, absl::Seconds(1)));
  scheduler.Add(MakeSequence("urgent", 1, {1}, absl::Seconds(10), /*priority=*/1));
  scheduler.Add(MakeSequence("too late", 1, {1}, absl::Seconds(12), /*priority=*/1));
  scheduler.Add(MakeSequence("patient", 1, {1}, absl::ZeroDuration(), /*priority=*/-1));
  std::vector<std::string> order;
  const Sequence* running = first.admitted[0];
  while (scheduler.waiting() > 0) {
    scheduler.Remove(running);
    const Batch batch = scheduler.Next(absl::Seconds(20));
    ASSERT_EQ(batch.admitted.size(), 1u);
    running = batch.admitted[0];
    order.push_back(running->request_id);
  }
  EXPECT_THAT(order, ElementsAre("urgent", "old", "too late", "patient"));
}

TEST_F(SchedulerTest, RemovalFreesTheBlocksInEveryState) {
  Scheduler scheduler = Make({.max_reading = 1});
  for (const char* id : {"decoding", "reading", "waiting"}) {
    scheduler.Add(MakeSequence(id, 2, {100}));
  }
  RunBatch(scheduler.Next(absl::ZeroDuration()));
  scheduler.Next(absl::ZeroDuration());
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
  Scheduler scheduler = Make();
  scheduler.Add(MakeSequence("a", 1, {1}));
  const Sequence other{};
  EXPECT_EQ(scheduler.Remove(&other), nullptr);
  EXPECT_EQ(scheduler.waiting(), 1);
}

TEST_F(SchedulerTest, KnowsWhenAPromptCannotBeReadBeforeItsDeadline) {
  Scheduler scheduler = Make();
  auto sequence = MakeSequence("a", 1, {100, 100});
  sequence->deadline = absl::Seconds(2);
  EXPECT_FALSE(scheduler.CannotMeetDeadline(*sequence, absl::Seconds(1)));  // nothing measured
  scheduler.costs().OnPrefill(100, absl::Milliseconds(300));
  EXPECT_FALSE(scheduler.CannotMeetDeadline(*sequence, absl::Milliseconds(1300)));
  EXPECT_TRUE(scheduler.CannotMeetDeadline(*sequence, absl::Milliseconds(1500)));
  sequence->slices_done = 1;
  EXPECT_FALSE(scheduler.CannotMeetDeadline(*sequence, absl::Milliseconds(1500)));
  sequence->output = {1};  // its client has had something
  EXPECT_FALSE(scheduler.CannotMeetDeadline(*sequence, absl::Milliseconds(1900)));
}

}  // namespace
}  // namespace windowkv
