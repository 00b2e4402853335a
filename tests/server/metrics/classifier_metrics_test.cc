#include "server/metrics/classifier_metrics.h"

#include "gtest/gtest.h"
#include "tests/server/metrics/prometheus_text.h"

namespace windowkv {
namespace {

using ::windowkv::testing::PrometheusText;
using ::windowkv::testing::Scrape;

TEST(ClassifierMetricsTest, EventsBecomeSamples) {
  MetricsRegistry registry;
  ClassifierMetrics metrics(&registry, "bert");
  metrics.OnDecision(Task::kLocalization, 0.75, 512, true);
  metrics.OnDecision(Task::kLocalization, 0.5, 100, false);
  metrics.OnUndecided();
  metrics.OnStreamEnded(7, 2);
  metrics.OnRequestFinished(2, absl::Milliseconds(20));
  metrics.OnRequestFailed(absl::StatusCode::kInvalidArgument);
  for (int i = 0; i < 5; ++i) metrics.OnCallBegan();
  metrics.OnCallEnded();
  const PrometheusText text = Scrape(registry);
  const std::string model = "{model=\"bert\"";
  EXPECT_EQ(text.Value("windowkv_classifier_decisions_total" + model + ",task=\"localization\"}"),
            2);
  EXPECT_EQ(text.Value("windowkv_classifier_decisions_total" + model + ",task=\"aggregation\"}"),
            0);
  EXPECT_EQ(text.Value("windowkv_classifier_confidence_sum" + model + ",task=\"localization\"}"),
            1.25);
  EXPECT_EQ(text.Value("windowkv_classifier_tokens_read_total" + model + "}"), 612);
  EXPECT_EQ(text.Value("windowkv_classifier_truncated_total" + model + "}"), 1);
  EXPECT_EQ(text.Value("windowkv_classifier_undecided_total" + model + "}"), 1);
  EXPECT_EQ(text.Value("windowkv_classifier_stream_texts_total" + model + "}"), 7);
  EXPECT_EQ(text.Value("windowkv_classifier_stream_text_failures_total" + model + "}"), 2);
  EXPECT_EQ(text.Value("windowkv_classifier_request_texts_sum" + model + "}"), 2);
  EXPECT_EQ(text.Value("windowkv_classifier_request_duration_seconds_sum" + model + "}"), 0.02);
  EXPECT_EQ(text.Value("windowkv_classifier_request_failures_total" + model +
                       ",code=\"INVALID_ARGUMENT\"}"),
            1);
  EXPECT_EQ(text.Value("windowkv_classifier_requests_running" + model + "}"), 4);
}

}  // namespace
}  // namespace windowkv
