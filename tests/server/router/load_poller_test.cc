#include "server/router/load_poller.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "tests/server/router/router_fixture.h"

namespace windowkv {
namespace {

class LoadPollerTest : public RouterFixture {};

TEST_F(LoadPollerTest, ABackendThatComesBackGetsRequestsAgain) {
  StartRouter({});
  backend(0).server.reset();
  poller_->PollNow();
  EXPECT_FALSE(pool_->AnyHealthy());
  EXPECT_EQ(Generate(TextRequest()).status.error_code(), grpc::StatusCode::UNAVAILABLE);
  backend(0).server = std::make_unique<testing::FakeServer>(&backend(0).service, backend(0).port);
  poller_->PollNow();
  EXPECT_TRUE(pool_->AnyHealthy());
  EXPECT_TRUE(Generate(TextRequest()).status.ok());
}

TEST_F(LoadPollerTest, ABackendThatFailsItsReportIsUnhealthy) {
  StartRouter({});
  backend(0).service.SetUnaryStatus({grpc::StatusCode::INTERNAL, "engine stopped"});
  poller_->PollNow();
  EXPECT_FALSE(pool_->AnyHealthy());
}

TEST_F(LoadPollerTest, PollsByItselfUntilItIsDestroyed) {
  StartRouter({});
  backend(0).SetFreeBlocks(321);
  {
    const LoadPoller poller(pool_.get(), {.interval = absl::Milliseconds(1)});
    while (pool_->TotalLoad().free_kv_blocks() != 321) std::this_thread::yield();
  }
  EXPECT_TRUE(pool_->AnyHealthy());
}

// Two backends that answer so that one of them is always being asked: the first answers its nth
// question when the second has been asked n times, the second when the first has been asked again.
class NeverBothIdle {
 public:
  class Service final : public v1::GenerationService::Service {
   public:
    Service(NeverBothIdle* pair, int which) : pair_(*pair), which_(which) {}
    grpc::Status GetLoad(grpc::ServerContext*, const v1::GetLoadRequest*, v1::Load* load) override {
      pair_.WaitForTurn(which_);
      load->set_accepting(true);
      return grpc::Status::OK;
    }

   private:
    NeverBothIdle& pair_;
    const int which_;
  };

  void End() {
    std::lock_guard lock(mu_);
    over_ = true;
    changed_.notify_all();
  }

  Service first{this, 0};
  Service second{this, 1};

 private:
  void WaitForTurn(int which) {
    std::unique_lock lock(mu_);
    const int question = ++asked_[which];
    changed_.notify_all();
    changed_.wait(
        lock, [&] { return over_ || (which == 0 ? asked_[1] >= question : asked_[0] > question); });
  }

  std::mutex mu_;
  std::condition_variable changed_;
  int asked_[2] = {0, 0};  // guarded by mu_
  bool over_ = false;      // guarded by mu_
};

TEST(LoadPollerRoundTest, OneRoundDoesNotWaitForTheNext) {
  NeverBothIdle backends;
  const testing::FakeServer first(&backends.first);
  const testing::FakeServer second(&backends.second);
  MetricsRegistry registry;
  RouterMetrics metrics(&registry);
  BackendPool pool({first.target(), second.target()}, &metrics, Logger::Silent());
  LoadPoller poller(&pool, {.interval = absl::Milliseconds(1), .timeout = absl::Seconds(60)});
  auto polled = std::async(std::launch::async, [&] { poller.PollNow(); });
  EXPECT_EQ(polled.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  backends.End();
}

}  // namespace
}  // namespace windowkv
