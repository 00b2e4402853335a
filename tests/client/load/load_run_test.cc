#include "client/load/load_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

// Passes only while a run waits for a certain time, and then at once.
class LeapingClock final : public LoadClock {
 public:
  absl::Duration Now() override {
    std::lock_guard lock(mu_);
    return now_;
  }
  void WaitUntil(absl::Duration time, std::condition_variable* changed,
                 std::unique_lock<std::mutex>* lock) override {
    if (time == absl::InfiniteDuration()) return changed->wait(*lock);
    std::lock_guard own_lock(mu_);
    now_ = std::max(now_, time + lateness_);
    leaps_.push_back(now_);
  }
  // From now on it leaps so much too far.
  void set_lateness(absl::Duration lateness) { lateness_ = lateness; }
  // The times that were waited for.
  std::vector<absl::Duration> leaps() const { return leaps_; }

 private:
  std::mutex mu_;
  absl::Duration now_;                 // guarded by mu_
  std::vector<absl::Duration> leaps_;  // guarded by mu_
  absl::Duration lateness_;            // constant during a run
};

class LoadRunTest : public ::testing::Test {
 protected:
  LoadRunTest() {
    config_.request.set_text("hi");
    config_.request.set_request_id("r");
    clients_.push_back(*Client::Create({.target = server_.target()}));
  }

  LoadResult Run() {
    return RunLoad(clients_, LoadRequests(config_), plan_, &clock_, &interrupt_, progress_);
  }

  // Requests wait on the server until `count` of them have arrived, then all are answered.
  void HoldUntilArrived(int count) {
    service_.on_generate = [=, this](const auto& request, auto*, auto* writer) {
      std::unique_lock lock(mu_);
      ++arrived_;
      arrived_changed_.notify_all();
      arrived_changed_.wait(lock, [=, this] { return arrived_ >= count; });
      writer->Write(testing::AcceptedMessage(request));
      writer->Write(testing::ChunkMessage("a", 1));
      writer->Write(testing::FinishedMessage());
      return grpc::Status::OK;
    };
  }

  std::mutex mu_;
  std::condition_variable arrived_changed_;
  int arrived_ = 0;  // guarded by mu_

  testing::FakeGenerationService service_;
  testing::FakeServer server_{&service_};
  std::vector<std::unique_ptr<Client>> clients_;
  LoadRequests::Config config_;
  LoadPlan plan_;
  LeapingClock clock_;
  Cancellation interrupt_;
  ProgressReports progress_;
};

TEST_F(LoadRunTest, AnOpenLoopSendsWhenRequestsAreDueWhateverHasBecomeOfThoseBefore) {
  constexpr int kRequests = 60;
  const ArrivalProcess::Config arrivals{.rate = 5, .seed = 3};
  plan_.arrivals = *ArrivalProcess::Create(arrivals);
  plan_.requests = kRequests;
  HoldUntilArrived(kRequests);  // a run that waited for an answer would never end
  const LoadResult result = Run();
  EXPECT_EQ(result.completed, kRequests);
  EXPECT_EQ(result.peak_in_flight, kRequests);
  EXPECT_EQ(result.send_delay.Figures().max, absl::ZeroDuration());
  ArrivalProcess expected = *ArrivalProcess::Create(arrivals);
  EXPECT_EQ(expected.Next(), absl::ZeroDuration());  // nothing to wait for
  std::vector<absl::Duration> due;
  for (int i = 1; i < kRequests; ++i) due.push_back(expected.Next());
  EXPECT_EQ(clock_.leaps(), due);
  EXPECT_EQ(result.wall, due.back());
}

TEST_F(LoadRunTest, AnOpenLoopSendsNothingThatIsDueAfterTheDuration) {
  plan_.arrivals = *ArrivalProcess::Create({.rate = 10, .gaps = ArrivalProcess::Gaps::kConstant});
  plan_.duration = absl::Seconds(2);
  const LoadResult result = Run();
  EXPECT_EQ(result.sent, 20);
  EXPECT_EQ(result.completed, 20);
}

TEST_F(LoadRunTest, WhatIsSentLateIsMeasuredFromWhenItWasDue) {
  plan_.arrivals = *ArrivalProcess::Create({.rate = 10, .gaps = ArrivalProcess::Gaps::kConstant});
  plan_.duration = absl::Seconds(2);
  clock_.set_lateness(absl::Seconds(5));
  const LoadResult result = Run();
  EXPECT_EQ(result.completed, 20);
  // The first was in time, the others all went out after 5.1 s.
  EXPECT_EQ(result.send_delay.Figures().max, absl::Seconds(5));
  EXPECT_EQ(result.send_delay.Figures().p50, absl::Seconds(4));
  EXPECT_GE(result.end_to_end.Figures().max, absl::Seconds(5));
}

TEST_F(LoadRunTest, AClosedLoopKeepsItsConcurrency) {
  plan_.concurrency = 4;
  plan_.requests = 40;
  HoldUntilArrived(4);
  const LoadResult result = Run();
  EXPECT_EQ(result.completed, 40);
  EXPECT_EQ(result.peak_in_flight, 4);
  EXPECT_EQ(result.prompt_tokens, 800);
  EXPECT_EQ(result.time_to_first_token.Figures().count, 40u);
  std::vector<std::string> ids;
  for (const v1::GenerateRequest& request : service_.requests())
    ids.push_back(request.request_id());
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()) - ids.begin(), 40);
}

TEST_F(LoadRunTest, TargetsTakeTurns) {
  testing::FakeGenerationService other_service;
  testing::FakeServer other_server(&other_service);
  clients_.push_back(*Client::Create({.target = other_server.target()}));
  plan_.requests = 10;
  EXPECT_EQ(Run().completed, 10);
  EXPECT_EQ(service_.requests().size(), 5u);
  EXPECT_EQ(other_service.requests().size(), 5u);
}

TEST_F(LoadRunTest, FailuresAreCountedByCodeAndTheRestGoesOn) {
  service_.on_generate = [](const auto& request, auto*, auto* writer) {
    if (request.request_id() == "r-1" || request.request_id() == "r-2") {
      return testing::DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "", 1);
    }
    if (request.request_id() == "r-3") return grpc::Status(grpc::StatusCode::INTERNAL, "bug");
    writer->Write(testing::FinishedMessage());
    return grpc::Status::OK;
  };
  plan_.requests = 6;
  const LoadResult result = Run();
  EXPECT_EQ(result.sent, 6);
  EXPECT_EQ(result.completed, 3);
  EXPECT_EQ(result.errors.at("RESOURCE_EXHAUSTED"), 2);
  EXPECT_EQ(result.errors.at("INTERNAL"), 1);
  EXPECT_EQ(result.failed_with_retry_delay, 2);
  EXPECT_EQ(result.first_error->message(), "full");
}

TEST_F(LoadRunTest, AServerThatIsGoneIsUnreachable) {
  testing::FakeGenerationService service;
  auto gone = std::make_unique<testing::FakeServer>(&service);
  clients_.front() = *Client::Create({.target = gone->target()});
  gone.reset();
  plan_.requests = 2;
  const LoadResult result = Run();
  EXPECT_EQ(result.errors.at("UNAVAILABLE"), 2);
  EXPECT_EQ(result.unreachable, 2);
}

TEST_F(LoadRunTest, TheTimeoutIsEachRequestsOwn) {
  service_.on_generate = [&](const auto&, grpc::ServerContext* context, auto*) {
    return service_.HoldUntilCancelled(context);
  };
  ASSERT_TRUE(clients_.front()->GetLoad({}).ok());  // connects
  plan_.requests = 2;
  plan_.timeout = absl::Milliseconds(20);
  const LoadResult result = Run();
  EXPECT_EQ(result.errors.at("DEADLINE_EXCEEDED"), 2);
  EXPECT_EQ(result.unreachable, 0);
}

TEST_F(LoadRunTest, WhatTheRunCancelsIsNoFailure) {
  service_.on_generate = [&](const auto& request, grpc::ServerContext* context, auto* writer) {
    writer->Write(testing::AcceptedMessage(request));
    return service_.HoldUntilCancelled(context);
  };
  config_.cancel_share = 1;
  config_.cancel_within = absl::Seconds(3);
  plan_.concurrency = 20;
  plan_.requests = 20;
  const LoadResult result = Run();
  EXPECT_EQ(result.sent, 20);
  EXPECT_EQ(result.cancelled, 20);
  EXPECT_EQ(result.failed(), 0);
  std::vector<absl::Duration> expected;
  for (int i = 0; i < 20; ++i) expected.push_back(*LoadRequests(config_).Make(i).cancel_after);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(clock_.leaps(), expected);
}

TEST_F(LoadRunTest, ACancellationOfTheServersIsAFailure) {
  service_.on_generate = [](const auto&, auto*, auto*) { return grpc::Status::CANCELLED; };
  plan_.requests = 1;
  const LoadResult result = Run();
  EXPECT_EQ(result.errors.at("CANCELLED"), 1);
  EXPECT_EQ(result.cancelled, 0);
}

TEST_F(LoadRunTest, AnInterruptCancelsWhatIsInFlightAndKeepsWhatWasDone) {
  service_.on_generate = [&](const auto& request, grpc::ServerContext* context, auto* writer) {
    if (request.request_id() < "r-3") {
      writer->Write(testing::FinishedMessage());
      return grpc::Status::OK;
    }
    if (request.request_id() == "r-5") interrupt_.Cancel();
    return service_.HoldUntilCancelled(context);
  };
  plan_.concurrency = 3;
  plan_.requests = 9;
  const LoadResult result = Run();
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.sent, 6);
  EXPECT_EQ(result.completed, 3);
  EXPECT_EQ(result.cancelled, 3);
  EXPECT_EQ(result.failed(), 0);
}

TEST_F(LoadRunTest, AnInterruptBeforeTheFirstRequestSendsNone) {
  interrupt_.Cancel();
  plan_.requests = 3;
  const LoadResult result = Run();
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.sent, 0);
}

TEST_F(LoadRunTest, TellsHowFarItIs) {
  plan_.arrivals = *ArrivalProcess::Create({.rate = 10, .gaps = ArrivalProcess::Gaps::kConstant});
  plan_.requests = 11;
  std::vector<LoadProgress> reports;
  progress_.interval = absl::Milliseconds(250);
  // The clock leaps to every report there might be until the last answer is in: no more of them.
  progress_.report = [&](const LoadProgress& now) {
    if (reports.size() < 4) reports.push_back(now);
  };
  EXPECT_EQ(Run().completed, 11);
  ASSERT_EQ(reports.size(), 4u);
  EXPECT_EQ(reports[0].elapsed, absl::Milliseconds(250));
  EXPECT_EQ(reports[0].sent, 3);
  EXPECT_EQ(reports[3].elapsed, absl::Seconds(1));
  for (const LoadProgress& now : reports) {
    EXPECT_EQ(now.sent, now.completed + now.failed + now.in_flight);
  }
}

}  // namespace
}  // namespace windowkv::client
