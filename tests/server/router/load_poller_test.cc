#include "server/router/load_poller.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace windowkv
