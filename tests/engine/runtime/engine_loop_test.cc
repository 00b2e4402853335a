#include "engine/runtime/engine_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/monotonic_clock.h"
#include "tests/engine/runtime/loop_test.h"

// What the engine thread does with requests whatever the model is: faults, slow readers, deadlines,
// preemption.

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using testing::FakeBatchRunner;
using ::testing::HasSubstr;

// With a runner that computes at once, and one that computes ahead.
class EngineLoopTest : public LoopTest, public ::testing::WithParamInterface<bool> {
 protected:
  void Start(FakeBatchRunner::Options options, const EngineLoop::Config& config = {}) {
    options.computes_ahead = GetParam();
    LoopTest::Start(std::move(options), config);
  }
};

TEST_P(EngineLoopTest, RequestsGetTheirTokensAndGiveTheirBlocksBack) {
  Start({});
  const auto a = Add("a", {1, 2, 3}, 10);
  const auto b = Add("b", std::vector<int32_t>(40, 5), 20);
  EXPECT_EQ(ReadAll(*a).tokens, Expected({1, 2, 3}, 10));
  EXPECT_EQ(ReadAll(*b).tokens, Expected(std::vector<int32_t>(40, 5), 20));
  EXPECT_EQ(loop_->available_blocks(), 64);
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(10)));
}

TEST_P(EngineLoopTest, ARequestWhoseStepFailsFailsAloneAndTheOthersMissNothing) {
  FakeBatchRunner::Options options;
  options.on_decode = [](const std::vector<Sequence*>& batch) {
    for (const Sequence* sequence : batch) {
      if (sequence->request_id == "poisoned" && sequence->decoded >= 2) {
        return absl::InternalError("a kernel threw");
      }
    }
    return absl::OkStatus();
  };
  Start(std::move(options));
  const auto good = Add("good", {1, 2}, 30);
  const auto poisoned = Add("poisoned", {3}, 30);
  const auto other = Add("other", {4}, 30);
  const Read failed = ReadAll(*poisoned);
  EXPECT_EQ(failed.status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(failed.status.message()), HasSubstr("a kernel threw"));
  EXPECT_EQ(failed.tokens, Expected({3}, 3));
  EXPECT_EQ(ReadAll(*good).tokens, Expected({1, 2}, 30));
  EXPECT_EQ(ReadAll(*other).tokens, Expected({4}, 30));
  EXPECT_EQ(metrics_.internal, 1);
  EXPECT_EQ(loop_->available_blocks(), 64);
}

TEST_P(EngineLoopTest, ARequestWhoseLogitsAreNoNumbersFailsAlone) {
  FakeBatchRunner::Options options;
  options.not_a_number = {"poisoned"};
  Start(std::move(options));
  const auto good = Add("good", {1, 2}, 30);
  const auto poisoned = Add("poisoned", {3}, 30);
  const Read failed = ReadAll(*poisoned);
  EXPECT_EQ(failed.status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(failed.tokens, Expected({3}, 1));
  EXPECT_EQ(ReadAll(*good).tokens, Expected({1, 2}, 30));
  EXPECT_EQ(metrics_.internal, 1);
  EXPECT_EQ(loop_->available_blocks(), 64);
}

TEST_P(EngineLoopTest, APromptThatCannotBeReadFailsAlone) {
  FakeBatchRunner::Options options;
  options.on_prefill = [](const PrefillWork& work) {
    const bool fails = work.sequence->request_id == "poisoned" && work.sequence->slices_done > 0;
    return fails ? absl::InternalError("a kernel threw") : absl::OkStatus();
  };
  Start(std::move(options));
  const auto poisoned = Add("poisoned", std::vector<int32_t>(60, 1), 5);
  const auto good = Add("good", {1, 2}, 30);
  EXPECT_EQ(ReadAll(*poisoned).status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReadAll(*good).tokens, Expected({1, 2}, 30));
  EXPECT_EQ(loop_->available_blocks(), 64);
}

TEST_P(EngineLoopTest, AFailedDeviceEndsEveryRequestAndThoseThatComeLater) {
  std::promise<void> both_added;
  std::atomic<bool> has_failed{false};
  FakeBatchRunner::Options options;
  options.on_decode =
      [&, added = both_added.get_future().share()](const std::vector<Sequence*>& batch) {
        added.wait();
        if (batch.size() == 2) has_failed = true;
        return has_failed ? absl::InternalError("an illegal memory access") : absl::OkStatus();
      };
  options.has_failed = [&] { return has_failed.load(); };
  Start(std::move(options));
  EXPECT_TRUE(loop_->device_status().ok());
  const auto a = Add("a", {1, 2}, 40);
  const auto b = Add("b", {3}, 40);
  both_added.set_value();
  for (const auto& stream : {a, b, Add("later", {4}, 5)}) {
    const Read read = ReadAll(*stream);
    EXPECT_EQ(read.status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(read.status.message()), HasSubstr("an illegal memory access"));
  }
  EXPECT_EQ(ReadAll(*Add("last", {5}, 5)).status.code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(loop_->device_status().ok());
  EXPECT_EQ(loop_->available_blocks(), 64);
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(10)));
}

TEST_P(EngineLoopTest, AStuckStepLetsTheHeartbeatAgeAndTellsWhoseItIs) {
  std::promise<void> entered;
  std::promise<void> release;
  FakeBatchRunner::Options options;
  options.on_decode = [&, released = release.get_future().share(),
                       first = true](const std::vector<Sequence*>&) mutable {
    if (std::exchange(first, false)) entered.set_value();
    released.wait();
    return absl::OkStatus();
  };
  Start(std::move(options));
  const auto a = Add("a", {1}, 3);
  entered.get_future().wait();
  const absl::Duration age = loop_->heartbeat_age();
  EXPECT_GT(loop_->heartbeat_age(), age);  // nothing but the clock moves
  EXPECT_THAT(loop_->step_request_ids(), ElementsAre("a"));
  release.set_value();
  EXPECT_TRUE(ReadAll(*a).finished);
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(10)));
}

TEST_P(EngineLoopTest, ASlowReaderSlowsOnlyItselfAndMissesNothing) {
  FakeBatchRunner::Options options;
  options.geometry.num_blocks = 4096;
  Start(std::move(options));
  const auto slow = Add("slow", {1}, 5000);
  const auto quick = Add("quick", {2}, 6000);
  EXPECT_EQ(ReadAll(*quick).tokens.size(), 6000u);
  EXPECT_TRUE(slow->congested());
  EXPECT_EQ(queue_.running(), 1);
  EXPECT_EQ(ReadAll(*slow).tokens, Expected({1}, 5000));
}

TEST_P(EngineLoopTest, ARequestThatWaitsForItsReaderCanStillBeCancelled) {
  FakeBatchRunner::Options options;
  options.geometry.num_blocks = 4096;
  Start(std::move(options));
  const auto slow = Add("slow", {1}, 5000);
  const auto other = Add("other", {2}, 6000);
  ReadAll(*other);
  ASSERT_TRUE(slow->congested());
  slow->Cancel();
  EXPECT_EQ(ReadAll(*slow).status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(loop_->available_blocks(), 4096);
}

TEST_P(EngineLoopTest, ARequestThatWaitsForItsReaderStillHasItsDeadline) {
  FakeBatchRunner::Options options;
  options.geometry.num_blocks = 4096;
  Start(std::move(options));
  auto sequence = MakeSequence("slow", {1}, 15000);
  sequence->deadline = MonotonicNow() + absl::Milliseconds(300);
  const auto slow = Add(std::move(sequence));
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(20)));  // nobody reads
  EXPECT_EQ(ReadAll(*slow).status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(EngineLoopTest, ADeadlineThatThePromptCannotMeetEndsTheRequestEarly) {
  std::promise<void> release;
  FakeBatchRunner::Options options;
  // Reading takes time, by a clock that the test holds.
  options.on_prefill = [released = release.get_future().share()](const PrefillWork& work) {
    if (work.sequence->request_id == "first") released.wait();
    return absl::OkStatus();
  };
  Start(std::move(options));
  const absl::Duration start = MonotonicNow();
  const auto first = Add("first", {1}, 3);
  while (MonotonicNow() - start < absl::Milliseconds(50)) std::this_thread::yield();
  release.set_value();
  EXPECT_TRUE(ReadAll(*first).finished);
  // By now a slice is known to take 50 ms: thirty of them do not fit half a second.
  auto late = MakeSequence("late", std::vector<int32_t>(200, 1), 3);
  late->slice_costs.assign(30, 100);
  late->deadline = MonotonicNow() + absl::Milliseconds(500);
  const absl::Duration added = MonotonicNow();
  const Read read = ReadAll(*Add(std::move(late)));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(read.accepted, 0);
  EXPECT_LT(MonotonicNow() - added, absl::Milliseconds(500));
  EXPECT_EQ(metrics_.unreachable, 1);
}

TEST_P(EngineLoopTest, APreemptedRequestGoesOnWhereItWasAndItsTokensNeitherChangeNorRepeat) {
  EngineLoop::Config config;
  config.scheduler.max_preemptions = 1;
  std::promise<void> decoding;
  std::promise<void> release;
  FakeBatchRunner::Options options;
  options.geometry.num_blocks = 20;
  options.on_decode = [&, released = release.get_future().share(),
                       first = true](const std::vector<Sequence*>& batch) mutable {
    if (batch[0]->request_id == "low" && batch[0]->output.size() == 20 &&
        std::exchange(first, false)) {
      decoding.set_value();
      released.wait();
    }
    return absl::OkStatus();
  };
  Start(std::move(options), config);
  const auto low = Add("low", {1, 2, 3}, 50);  // 14 of 20 blocks
  decoding.get_future().wait();
  auto sequence = MakeSequence("high", {4}, 50);  // likewise
  sequence->priority = 1;
  const auto high = Add(std::move(sequence));
  release.set_value();
  EXPECT_EQ(ReadAll(*high).tokens, Expected({4}, 50));
  const Read read = ReadAll(*low);
  EXPECT_EQ(read.tokens, Expected({1, 2, 3}, 50));
  EXPECT_EQ(read.accepted, 1);
  EXPECT_TRUE(read.finished);
  EXPECT_EQ(metrics_.preempted, 1);
  EXPECT_EQ(loop_->available_blocks(), 20);
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(10)));
}

TEST_P(EngineLoopTest, StoppingEndsEveryRequestInEveryState) {
  FakeBatchRunner::Options options;
  options.geometry.num_blocks = 2048;
  Start(std::move(options));
  const auto decoding = Add("decoding", {1}, 8000);
  const auto waiting = Add("waiting", {2}, 8000);
  while (!decoding->congested()) std::this_thread::yield();  // nobody reads it
  loop_.reset();
  EXPECT_EQ(ReadAll(*decoding).status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReadAll(*waiting).status.code(), absl::StatusCode::kUnavailable);
  decoding->Cancel();  // after the end nothing is woken
}

INSTANTIATE_TEST_SUITE_P(Runners, EngineLoopTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "ComputesAhead" : "ComputesAtOnce";
                         });

}  // namespace
}  // namespace windowkv
