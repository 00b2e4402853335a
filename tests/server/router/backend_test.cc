#include "server/router/backend.h"

#include <gtest/gtest.h>

#include "server/metrics/metrics_registry.h"

namespace windowkv {
namespace {

class BackendTest : public ::testing::Test {
 protected:
  static v1::Load LoadOf(int64_t free, int64_t total, int running, int waiting = 0) {
    v1::Load load;
    load.set_free_kv_blocks(free);
    load.set_total_kv_blocks(total);
    load.set_running(running);
    load.set_waiting(waiting);
    load.set_accepting(true);
    return load;
  }

  MetricsRegistry registry_;
  RouterMetrics metrics_{&registry_};
  Backend backend_{"127.0.0.1:1", &metrics_, Logger::Silent()};
};

TEST_F(BackendTest, IsUnhealthyBeforeItsFirstReport) {
  EXPECT_FALSE(backend_.healthy());
  EXPECT_EQ(backend_.ExpectedFreeBlocks(), std::nullopt);
}

TEST_F(BackendTest, AReportMakesItHealthyAndADrainingOneDoesNot) {
  backend_.OnLoadReport(LoadOf(10, 20, 0), 0);
  EXPECT_TRUE(backend_.healthy());
  v1::Load draining = LoadOf(10, 20, 0);
  draining.set_accepting(false);
  backend_.OnLoadReport(draining, 0);
  EXPECT_FALSE(backend_.healthy());
}

TEST_F(BackendTest, AStreamSinceTheReportCountsAsTheAverageRunningOne) {
  backend_.OnLoadReport(LoadOf(600, 1000, 4), backend_.opened());
  EXPECT_EQ(backend_.ExpectedFreeBlocks(), 600);
  backend_.OnStreamOpened();
  EXPECT_EQ(backend_.ExpectedFreeBlocks(), 500);
}

TEST_F(BackendTest, AStreamOnAnIdleBackendCountsAsASixteenthOfItsPool) {
  backend_.OnLoadReport(LoadOf(1600, 1600, 0), backend_.opened());
  backend_.OnStreamOpened();
  EXPECT_EQ(backend_.ExpectedFreeBlocks(), 1500);
}

TEST_F(BackendTest, AReportKnowsStreamsOpenedBeforeItWasAskedFor) {
  backend_.OnLoadReport(LoadOf(1600, 1600, 0), backend_.opened());
  backend_.OnStreamOpened();
  const uint64_t asked_at = backend_.opened();
  backend_.OnStreamOpened();
  backend_.OnLoadReport(LoadOf(1200, 1600, 1), asked_at);
  EXPECT_EQ(backend_.ExpectedFreeBlocks(), 800);
}

TEST_F(BackendTest, WaitingRequestsTakeBlocksToo) {
  backend_.OnLoadReport(LoadOf(600, 1000, 4, 3), backend_.opened());
  EXPECT_EQ(backend_.ExpectedFreeBlocks(), 300);
}

TEST_F(BackendTest, DescribesItselfAndFeedsTheGauges) {
  backend_.OnLoadReport(LoadOf(5, 20, 1), 0);
  backend_.OnStreamOpened();
  const v1::Backend description = backend_.Describe();
  EXPECT_EQ(description.target(), "127.0.0.1:1");
  EXPECT_TRUE(description.healthy());
  EXPECT_EQ(description.load().free_kv_blocks(), 5);
  EXPECT_EQ(description.open_streams(), 1);
  EXPECT_NE(registry_.Text().find("windowkv_router_backend_up{backend=\"127.0.0.1:1\"} 1"),
            std::string::npos);
  backend_.OnUnreachable("gone");
  EXPECT_NE(registry_.Text().find("windowkv_router_backend_up{backend=\"127.0.0.1:1\"} 0"),
            std::string::npos);
}

}  // namespace
}  // namespace windowkv
