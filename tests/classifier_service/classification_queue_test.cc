#include "classifier_service/classification_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/status.h"
#include "tests/classifier_service/gated_classifier.h"

namespace windowkv {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

using Outcome = absl::StatusOr<ClassificationQueue::Decisions>;

// A job's texts and outcome.
class TestJob {
 public:
  explicit TestJob(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  ClassificationQueue::Job Make() {
    ClassificationQueue::Job job;
    job.texts.assign(texts_.begin(), texts_.end());
    job.cancelled = &cancelled_;
    job.done = [this](Outcome outcome) { outcome_.set_value(std::move(outcome)); };
    return job;
  }
  void Cancel() { cancelled_ = true; }
  Outcome Wait() { return outcome_.get_future().get(); }

 private:
  const std::vector<std::string> texts_;
  std::atomic<bool> cancelled_ = false;
  std::promise<Outcome> outcome_;
};

std::vector<std::string> Texts(const std::string& name, int count) {
  std::vector<std::string> texts;
  texts.reserve(count);
  for (int i = 0; i < count; ++i) texts.push_back(name + std::to_string(i));
  return texts;
}

class ClassificationQueueTest : public testing::Test {
 protected:
  // Puts a job at the closed gate, so that what follows waits.
  void OccupyTheWorker(ClassificationQueue& queue) {
    classifier_.Close();
    ASSERT_TRUE(queue.Submit(first_.Make()).ok());
    classifier_.WaitForCalls(1);
  }

  GatedClassifier classifier_;
  TestJob first_{{"first"}};
};

TEST_F(ClassificationQueueTest, AnswersInTheOrderOfTheTexts) {
  ClassificationQueue queue(&classifier_, {});
  std::vector<std::string> texts = Texts("find", 20);
  texts[3] = "summary";
  TestJob job(texts);
  ASSERT_TRUE(queue.Submit(job.Make()).ok());
  const Outcome outcome = job.Wait();
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  ASSERT_THAT(*outcome, SizeIs(20));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ((*outcome)[i].task, i == 3 ? Task::kAggregation : Task::kLocalization) << i;
  }
}

TEST_F(ClassificationQueueTest, AnIdleWorkerStartsAtOnceAndDoesNotWaitForMore) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  EXPECT_THAT(classifier_.calls(), ElementsAre(ElementsAre("first")));
  classifier_.Open();
  EXPECT_TRUE(first_.Wait().ok());
}

TEST_F(ClassificationQueueTest, TextsOfDifferentJobsShareABatch) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  TestJob one(Texts("one", 2));
  TestJob two({"two"});
  ASSERT_TRUE(queue.Submit(one.Make()).ok());
  ASSERT_TRUE(queue.Submit(two.Make()).ok());
  classifier_.Open();
  EXPECT_THAT(*one.Wait(), SizeIs(2));
  EXPECT_THAT(*two.Wait(), SizeIs(1));
  EXPECT_THAT(classifier_.calls(),
              ElementsAre(ElementsAre("first"), ElementsAre("one0", "two", "one1")));
}

TEST_F(ClassificationQueueTest, ABatchEndsBeforeItHasMoreThan512Pieces) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  TestJob job({std::string(300, 'a'), std::string(212, 'b'), "c", std::string(600, 'd'), "e"});
  ASSERT_TRUE(queue.Submit(job.Make()).ok());
  classifier_.Open();
  EXPECT_TRUE(job.Wait().ok());
  EXPECT_THAT(classifier_.calls(), ElementsAre(ElementsAre("first"), SizeIs(2), ElementsAre("c"),
                                               ElementsAre(SizeIs(600)), ElementsAre("e")));
}

TEST_F(ClassificationQueueTest, AShortTextWaitsForOneBatchOfALargeJob) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  TestJob large(std::vector<std::string>(24, std::string(250, 'x')));
  TestJob small({"small"});
  ASSERT_TRUE(queue.Submit(large.Make()).ok());
  ASSERT_TRUE(queue.Submit(small.Make()).ok());
  classifier_.Open();
  EXPECT_TRUE(large.Wait().ok());
  EXPECT_TRUE(small.Wait().ok());
  EXPECT_THAT(classifier_.calls()[1], ElementsAre(SizeIs(250), "small", SizeIs(250)));
}

TEST_F(ClassificationQueueTest, ALongTextIsNotOvertakenForEver) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  TestJob shorts(std::vector<std::string>(6, std::string(200, 's')));
  TestJob others(std::vector<std::string>(6, std::string(200, 'o')));
  TestJob long_one({std::string(500, 'l')});
  ASSERT_TRUE(queue.Submit(shorts.Make()).ok());
  ASSERT_TRUE(queue.Submit(others.Make()).ok());
  ASSERT_TRUE(queue.Submit(long_one.Make()).ok());
  classifier_.Open();
  EXPECT_TRUE(long_one.Wait().ok());
  EXPECT_TRUE(shorts.Wait().ok());
  EXPECT_TRUE(others.Wait().ok());
  EXPECT_THAT(classifier_.calls()[2], ElementsAre(SizeIs(500)));
}

TEST_F(ClassificationQueueTest, AStreamsJobsTakeTurnsAsOneCallers) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  const auto stream = queue.OpenStream();
  ASSERT_TRUE(stream.ok()) << stream.status();
  TestJob streamed[] = {TestJob({"s0"}), TestJob({"s1"}), TestJob({"s2"})};
  for (TestJob& job : streamed) ASSERT_TRUE(queue.SubmitTo(*stream, job.Make()).ok());
  TestJob unary(Texts("u", 2));
  ASSERT_TRUE(queue.Submit(unary.Make()).ok());
  classifier_.Open();
  for (TestJob& job : streamed) EXPECT_TRUE(job.Wait().ok());
  EXPECT_TRUE(unary.Wait().ok());
  queue.CloseStream(*stream);
  EXPECT_THAT(classifier_.calls()[1], ElementsAre("s0", "u0", "s1", "u1", "s2"));
}

TEST_F(ClassificationQueueTest, StreamsAreBoundedByNumberAndLeaveRoomForOthers) {
  ClassificationQueue queue(&classifier_, {.waiting_texts = 1, .streams = 1});
  OccupyTheWorker(queue);
  const auto stream = queue.OpenStream();
  ASSERT_TRUE(stream.ok()) << stream.status();
  TestJob streamed({"streamed"});
  EXPECT_TRUE(queue.SubmitTo(*stream, streamed.Make()).ok());
  const absl::Status second = queue.OpenStream().status();
  EXPECT_EQ(second.code(), absl::StatusCode::kResourceExhausted) << second;
  EXPECT_TRUE(RetryDelayOf(second).has_value());
  classifier_.Open();
  EXPECT_TRUE(first_.Wait().ok());
  EXPECT_TRUE(streamed.Wait().ok());
  queue.CloseStream(*stream);
  EXPECT_TRUE(queue.OpenStream().ok());
}

TEST_F(ClassificationQueueTest, RefusesMoreThanMayWaitWithARetryDelay) {
  ClassificationQueue queue(&classifier_, {.waiting_texts = 4, .waiting_bytes = 100});
  OccupyTheWorker(queue);
  TestJob fits(Texts("fits", 3));
  TestJob too_many(Texts("x", 1));
  ASSERT_TRUE(queue.Submit(fits.Make()).ok());
  const absl::Status status = queue.Submit(too_many.Make());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  ASSERT_TRUE(RetryDelayOf(status).has_value());
  EXPECT_GT(*RetryDelayOf(status), absl::ZeroDuration());
  classifier_.Open();
  EXPECT_TRUE(fits.Wait().ok());
  queue.Drain(absl::Hours(1));
}

TEST_F(ClassificationQueueTest, RefusesMoreBytesThanMayWait) {
  ClassificationQueue queue(&classifier_, {.waiting_texts = 4, .waiting_bytes = 100});
  OccupyTheWorker(queue);
  TestJob large({std::string(96, 'x')});
  EXPECT_EQ(queue.Submit(large.Make()).code(), absl::StatusCode::kResourceExhausted);
  classifier_.Open();
}

TEST_F(ClassificationQueueTest, TakesAnyJobWhenNothingElseWaits) {
  ClassificationQueue queue(&classifier_, {.waiting_texts = 4, .waiting_bytes = 10});
  TestJob large(Texts("large text", 9));
  ASSERT_TRUE(queue.Submit(large.Make()).ok());
  EXPECT_TRUE(large.Wait().ok());
}

TEST_F(ClassificationQueueTest, CancelledJobsAreNotClassified) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  TestJob job({"unwanted"});
  ASSERT_TRUE(queue.Submit(job.Make()).ok());
  job.Cancel();
  classifier_.Open();
  EXPECT_EQ(job.Wait().status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(classifier_.calls(), ElementsAre(ElementsAre("first")));
}

TEST_F(ClassificationQueueTest, ATextThatFailsTakesNoOthersWithIt) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  TestJob bad({"fine", "fail", "find"});
  TestJob good({"find"});
  ASSERT_TRUE(queue.Submit(bad.Make()).ok());
  ASSERT_TRUE(queue.Submit(good.Make()).ok());
  classifier_.Open();
  EXPECT_EQ(bad.Wait().status().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(good.Wait().ok());
  EXPECT_THAT(classifier_.calls()[1], ElementsAre("fine", "find", "fail", "find"));
  EXPECT_THAT(classifier_.calls(), SizeIs(6));
}

TEST_F(ClassificationQueueTest, NothingMoreOfAFailedJobIsClassified) {
  ClassificationQueue queue(&classifier_, {});
  TestJob bad({"fail", std::string(512, 'x')});
  ASSERT_TRUE(queue.Submit(bad.Make()).ok());
  EXPECT_EQ(bad.Wait().status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(classifier_.calls(), ElementsAre(ElementsAre("fail")));
}

TEST_F(ClassificationQueueTest, DrainFinishesWhatWasAcceptedAndRefusesTheRest) {
  ClassificationQueue queue(&classifier_, {});
  OccupyTheWorker(queue);
  TestJob accepted({"accepted"});
  ASSERT_TRUE(queue.Submit(accepted.Make()).ok());
  queue.Drain(absl::ZeroDuration());
  TestJob late({"late"});
  EXPECT_EQ(queue.Submit(late.Make()).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(queue.OpenStream().status().code(), absl::StatusCode::kUnavailable);
  classifier_.Open();
  queue.Drain(absl::Hours(1));
  EXPECT_TRUE(first_.Wait().ok());
  EXPECT_TRUE(accepted.Wait().ok());
}

TEST_F(ClassificationQueueTest, DestructionEndsWaitingJobs) {
  auto queue = std::make_unique<ClassificationQueue>(
      &classifier_, ClassificationQueue::Limits{.waiting_texts = 2});
  OccupyTheWorker(*queue);
  TestJob waiting({"waiting"});
  ASSERT_TRUE(queue->Submit(waiting.Make()).ok());
  // The gate keeps the destructor waiting until it has said that it stops.
  ClassificationQueue* const stopping = queue.get();
  std::thread destroyer([&queue] { queue.reset(); });
  TestJob probe({"probe"});
  while (!absl::IsUnavailable(stopping->Submit(probe.Make()))) std::this_thread::yield();
  classifier_.Open();
  destroyer.join();
  EXPECT_TRUE(first_.Wait().ok());
  EXPECT_EQ(waiting.Wait().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ClassificationQueueTest, IsBusyOnlyWhileItClassifies) {
  ClassificationQueue queue(&classifier_, {});
  EXPECT_EQ(queue.BusyFor(), absl::ZeroDuration());
  OccupyTheWorker(queue);
  EXPECT_GE(queue.BusyFor(), absl::ZeroDuration());
  classifier_.Open();
  queue.Drain(absl::Hours(1));
  EXPECT_EQ(queue.BusyFor(), absl::ZeroDuration());
}

}  // namespace
}  // namespace windowkv
