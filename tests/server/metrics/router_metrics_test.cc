#include "server/metrics/router_metrics.h"

#include "gtest/gtest.h"
#include "tests/server/metrics/prometheus_text.h"

namespace windowkv {
namespace {

using ::windowkv::testing::PrometheusText;
using ::windowkv::testing::Scrape;

TEST(RouterMetricsTest, CountersExistBeforeTheirFirstEvent) {
  MetricsRegistry registry;
  const RouterMetrics metrics(&registry);
  const PrometheusText text = Scrape(registry);
  EXPECT_EQ(text.Value("windowkv_router_classified_total{task=\"localization\"}"), 0);
  EXPECT_EQ(text.Value("windowkv_router_requests_total{code=\"INTERNAL\"}"), 0);
}

TEST(RouterMetricsTest, EventsBecomeSamples) {
  MetricsRegistry registry;
  RouterMetrics metrics(&registry);
  metrics.OnClassifierAnswered(absl::Milliseconds(10));
  metrics.OnClassified(Task::kAggregation);
  metrics.OnClassifierFallback(RouterMetrics::Fallback::kDeadlineExceeded);
  metrics.OnClassifierFallback(RouterMetrics::Fallback::kLowConfidence);
  metrics.OnTaskCacheHit();
  metrics.OnTaskCacheEntries(5);
  metrics.OnPicked("10.0.0.1:50051");
  metrics.OnPicked("10.0.0.1:50051");
  metrics.OnRetry("10.0.0.1:50051", absl::StatusCode::kUnavailable);
  metrics.OnBackendUp("10.0.0.1:50051", true);
  metrics.OnBackendUp("10.0.0.2:50051", false);
  metrics.OnOpenStreams("10.0.0.1:50051", 7);
  metrics.OnRequestEnded(absl::StatusCode::kOk, absl::Seconds(3));
  metrics.OnForwarded(absl::Milliseconds(12));
  metrics.OnSlowReader();
  const PrometheusText text = Scrape(registry);
  EXPECT_EQ(text.Value("windowkv_router_classified_total{task=\"aggregation\"}"), 1);
  EXPECT_EQ(text.Value("windowkv_router_classify_seconds_sum"), 0.01);
  EXPECT_EQ(text.Value("windowkv_router_classifier_fallbacks_total{reason=\"deadline_exceeded\"}"),
            1);
  EXPECT_EQ(text.Value("windowkv_router_classifier_fallbacks_total{reason=\"low_confidence\"}"), 1);
  EXPECT_EQ(text.Value("windowkv_router_classifier_fallbacks_total{reason=\"unavailable\"}"), 0);
  EXPECT_EQ(text.Value("windowkv_router_task_cache_hits_total"), 1);
  EXPECT_EQ(text.Value("windowkv_router_task_cache_entries"), 5);
  EXPECT_EQ(text.Value("windowkv_router_picks_total{backend=\"10.0.0.1:50051\"}"), 2);
  EXPECT_EQ(text.Value("windowkv_router_retries_total{backend=\"10.0.0.1:50051\",code="
                       "\"UNAVAILABLE\"}"),
            1);
  EXPECT_EQ(text.Value("windowkv_router_backend_up{backend=\"10.0.0.1:50051\"}"), 1);
  EXPECT_EQ(text.Value("windowkv_router_backend_up{backend=\"10.0.0.2:50051\"}"), 0);
  EXPECT_EQ(text.Value("windowkv_router_open_streams{backend=\"10.0.0.1:50051\"}"), 7);
  EXPECT_EQ(text.Value("windowkv_router_requests_total{code=\"OK\"}"), 1);
  EXPECT_EQ(text.Value("windowkv_router_request_duration_seconds_sum"), 3);
  EXPECT_EQ(text.Value("windowkv_router_forward_delay_seconds_sum"), 0.012);
  EXPECT_EQ(text.Value("windowkv_router_slow_readers_total"), 1);
}

}  // namespace
}  // namespace windowkv
