#include "server/metrics/prometheus_engine_metrics.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/server/metrics/prometheus_text.h"

namespace windowkv {
namespace {

using ::windowkv::testing::Scrape;

EngineMetrics::RequestEnd CompressedRequest() {
  EngineMetrics::RequestEnd end;
  end.policy = "windowkv";
  end.task = "localization";
  end.finish_reason = "stop";
  end.prompt_tokens = 8000;
  end.completion_tokens = 12;
  end.queued = absl::Milliseconds(3);
  end.prefill = absl::Seconds(2);
  end.decode = absl::Milliseconds(300);
  end.end_to_end = absl::Milliseconds(2303);
  end.bytes_full = 1000;
  end.bytes_kept = 250;
  end.bytes_prefill_peak = 500;
  end.selection_time = absl::Milliseconds(40);
  return end;
}

class PrometheusEngineMetricsTest : public ::testing::Test {
 protected:
  // The value of NAME{model="demo",LABELS}.
  double Value(const std::string& name, const std::string& labels = "") const {
    const std::string separator = labels.empty() ? "" : ",";
    return Scrape(registry_).Value(name + "{model=\"demo\"" + separator + labels + "}");
  }

  MetricsRegistry registry_;
  PrometheusEngineMetrics metrics_{&registry_, "demo", {"full", "windowkv"}};
};

TEST_F(PrometheusEngineMetricsTest, CountersExistBeforeTheirFirstEvent) {
  EXPECT_EQ(Value("windowkv_generated_tokens_total"), 0);
  EXPECT_EQ(Value("windowkv_request_failures_total", "code=\"CANCELLED\""), 0);
  EXPECT_EQ(Value("windowkv_compression_kept_everything_total"), 0);
}

TEST_F(PrometheusEngineMetricsTest, PreemptionsAndUnreachableDeadlinesAreCounted) {
  metrics_.OnPreempted();
  metrics_.OnPreempted();
  metrics_.OnDeadlineUnreachable();
  EXPECT_EQ(Value("windowkv_preemptions_total"), 2);
  EXPECT_EQ(Value("windowkv_deadline_unreachable_total"), 1);
}

TEST_F(PrometheusEngineMetricsTest, AFinishedRequestIsCountedByPolicyTaskAndReason) {
  metrics_.OnRequestFinished(CompressedRequest());
  EXPECT_EQ(Value("windowkv_prompt_tokens_total"), 8000);
  EXPECT_EQ(Value("windowkv_request_duration_seconds_sum"), 2.303);
  EXPECT_EQ(Value("windowkv_request_queue_seconds_sum"), 0.003);
  EXPECT_EQ(Value("windowkv_request_prefill_seconds_sum"), 2);
  EXPECT_EQ(Value("windowkv_request_decode_seconds_sum"), 0.3);
  double successes = 0;
  for (const auto& [series, value] : Scrape(registry_).samples) {
    if (!series.starts_with("windowkv_request_success_total")) continue;
    const bool this_one = series.find("policy=\"windowkv\"") != std::string::npos &&
                          series.find("task=\"localization\"") != std::string::npos &&
                          series.find("finish_reason=\"stop\"") != std::string::npos;
    EXPECT_EQ(value, this_one ? 1 : 0) << series;
    successes += value;
  }
  EXPECT_EQ(successes, 1);
}

TEST_F(PrometheusEngineMetricsTest, SavedBytesAndKeptFractionComeFromTheReceipt) {
  metrics_.OnRequestFinished(CompressedRequest());
  const std::string labels = "policy=\"windowkv\",task=\"localization\"";
  EXPECT_EQ(Value("windowkv_kv_full_bytes_total", labels), 1000);
  EXPECT_EQ(Value("windowkv_kv_saved_bytes_total", labels), 750);
  EXPECT_EQ(Value("windowkv_kv_saved_bytes_total", "policy=\"full\",task=\"localization\""), 0);
  EXPECT_EQ(Value("windowkv_prefill_peak_bytes_sum"), 500);
  EXPECT_EQ(Value("windowkv_selection_seconds_sum"), 0.04);
  double sum = 0;
  for (const auto& [series, value] : Scrape(registry_).samples) {
    if (series.starts_with("windowkv_kv_kept_fraction_sum")) sum += value;
  }
  EXPECT_EQ(sum, 0.25);
}

TEST_F(PrometheusEngineMetricsTest, CompressionThatKeptEverythingIsVisible) {
  EngineMetrics::RequestEnd end = CompressedRequest();
  end.bytes_kept = end.bytes_full;
  end.kept_everything = true;
  metrics_.OnRequestFinished(end);
  EXPECT_EQ(Value("windowkv_compression_kept_everything_total"), 1);
  EXPECT_EQ(Value("windowkv_kv_saved_bytes_total", "policy=\"windowkv\",task=\"localization\""), 0);
}

TEST_F(PrometheusEngineMetricsTest, FailuresAreCountedByCode) {
  metrics_.OnRequestFailed(absl::StatusCode::kOutOfRange);
  metrics_.OnRequestFailed(absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Value("windowkv_request_failures_total", "code=\"OUT_OF_RANGE\""), 2);
}

TEST_F(PrometheusEngineMetricsTest, TokensAndTheirLatenciesAreCountedAsTheyCome) {
  metrics_.OnFirstToken(absl::Milliseconds(500));
  metrics_.OnNextToken(absl::Milliseconds(2));
  metrics_.OnNextToken(absl::Milliseconds(3));
  EXPECT_EQ(Value("windowkv_generated_tokens_total"), 3);
  EXPECT_EQ(Value("windowkv_time_to_first_token_seconds_count"), 1);
  EXPECT_EQ(Value("windowkv_inter_token_latency_seconds_count"), 2);
  EXPECT_EQ(Value("windowkv_inter_token_latency_seconds_sum"), 0.005);
}

TEST_F(PrometheusEngineMetricsTest, StepsSayTheirBatchAndDuration) {
  metrics_.OnStep(8, 4096, absl::Milliseconds(4));
  EXPECT_EQ(Value("windowkv_engine_steps_total"), 1);
  EXPECT_EQ(Value("windowkv_engine_batch_size_sum"), 8);
  EXPECT_EQ(Value("windowkv_engine_step_seconds_sum"), 0.004);
  EXPECT_EQ(Value("windowkv_prefill_token_layers_total"), 4096);
}

TEST_F(PrometheusEngineMetricsTest, StateGivesTheGauges) {
  metrics_.OnState({.running = 3,
                    .waiting = 5,
                    .running_full_cache = 2,
                    .pool_bytes_total = 4000,
                    .pool_bytes_used = 1000,
                    .full_equivalent_bytes = 3000,
                    .held_bytes = 800,
                    .device_memory_bytes = 9000});
  EXPECT_EQ(Value("windowkv_requests_running"), 3);
  EXPECT_EQ(Value("windowkv_requests_waiting"), 5);
  EXPECT_EQ(Value("windowkv_requests_running_full_cache"), 2);
  EXPECT_EQ(Value("windowkv_kv_pool_size_bytes"), 4000);
  EXPECT_EQ(Value("windowkv_kv_pool_used_bytes"), 1000);
  EXPECT_EQ(Value("windowkv_kv_pool_utilization_ratio"), 0.25);
  EXPECT_EQ(Value("windowkv_kv_full_equivalent_bytes"), 3000);
  EXPECT_EQ(Value("windowkv_kv_held_bytes"), 800);
  EXPECT_EQ(Value("windowkv_kv_saved_now_bytes"), 2200);
  EXPECT_EQ(Value("windowkv_device_memory_bytes"), 9000);
}

TEST_F(PrometheusEngineMetricsTest, TheModelStandsInLabels) {
  metrics_.OnModelLoaded({.architecture = "LlamaForCausalLM",
                          .dtype = "bfloat16",
                          .context_length = 8192,
                          .block_size = 16});
  EXPECT_EQ(Scrape(registry_).Value(
                "windowkv_model_info{architecture=\"LlamaForCausalLM\",block_size=\"16\","
                "context_length=\"8192\",dtype=\"bfloat16\",model=\"demo\"}"),
            1);
}

TEST_F(PrometheusEngineMetricsTest, SlowReadersAreCounted) {
  EXPECT_EQ(Value("windowkv_slow_readers_total"), 0);
  metrics_.OnSlowReader();
  EXPECT_EQ(Value("windowkv_slow_readers_total"), 1);
}

TEST_F(PrometheusEngineMetricsTest, AnEmptyStateDividesByNothing) {
  metrics_.OnState({});
  EXPECT_EQ(Value("windowkv_kv_pool_utilization_ratio"), 0);
}

}  // namespace
}  // namespace windowkv
