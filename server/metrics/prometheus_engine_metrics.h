#ifndef WINDOWKV_SERVER_METRICS_PROMETHEUS_ENGINE_METRICS_H_
#define WINDOWKV_SERVER_METRICS_PROMETHEUS_ENGINE_METRICS_H_

#include <string>
#include <vector>

#include "engine/base/engine_metrics.h"
#include "server/metrics/metrics_registry.h"

namespace windowkv {

// The engine's events as Prometheus metrics; the names, labels and buckets of a generation server
// stand in this class's source file. Owned by main; outlives the engine. Thread-safe.
class PrometheusEngineMetrics final : public EngineMetrics {
 public:
  // `registry` outlives this. `model`, the model's name, labels every series; `policies` are the
  // cache policies' names.
  PrometheusEngineMetrics(MetricsRegistry* registry, const std::string& model,
                          const std::vector<std::string>& policies);

  // The facts of the model that is served, once it is loaded.
  struct LoadedModel {
    std::string architecture;
    std::string dtype;
    int32_t context_length = 0;
    int32_t block_size = 0;  // tokens
  };
  void OnModelLoaded(const LoadedModel& model);

  void OnRequestFinished(const RequestEnd& end) override;
  void OnRequestFailed(absl::StatusCode code) override;
  void OnFirstToken(absl::Duration since_arrival) override;
  void OnNextToken(absl::Duration since_previous) override;
  void OnStep(int32_t decoded, int64_t prefill_token_layers, absl::Duration duration) override;
  void OnPreempted() override;
  void OnDeadlineUnreachable() override;
  void OnState(const State& state) override;
  // A client that did not read on had its request cancelled.
  void OnSlowReader();

 private:
  PrometheusEngineMetrics(MetricsRegistry* registry, const MetricLabels& model);
  // Series that exist from the start, so that a rate sees their first event.
  void AddExpectedSeries(const std::vector<std::string>& policies);
  void ObserveCompression(const RequestEnd& end);

  MetricsRegistry* registry_;
  const MetricLabels model_;
  prometheus::Gauge& running_;
  prometheus::Gauge& running_full_cache_;
  prometheus::Gauge& waiting_;
  CounterFamily& successes_;
  CounterFamily& failures_;
  prometheus::Counter& prompt_tokens_;
  prometheus::Counter& generated_tokens_;
  prometheus::Histogram& time_to_first_token_;
  prometheus::Histogram& inter_token_;
  prometheus::Histogram& end_to_end_;
  prometheus::Histogram& queued_;
  prometheus::Histogram& prefill_;
  prometheus::Histogram& decode_;
  prometheus::Gauge& pool_size_;
  prometheus::Gauge& pool_used_;
  prometheus::Gauge& pool_utilization_;
  prometheus::Gauge& full_equivalent_;
  prometheus::Gauge& held_;
  prometheus::Gauge& saved_now_;
  prometheus::Gauge& device_memory_;
  CounterFamily& full_;
  CounterFamily& saved_;
  HistogramFamily& kept_fraction_;
  prometheus::Histogram& prefill_peak_;
  prometheus::Histogram& selection_;
  prometheus::Counter& kept_everything_;
  prometheus::Counter& slow_readers_;
  prometheus::Counter& steps_;
  prometheus::Histogram& step_duration_;
  prometheus::Histogram& batch_size_;
  prometheus::Counter& prefill_token_layers_;
  prometheus::Counter& preemptions_;
  prometheus::Counter& deadlines_unreachable_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_PROMETHEUS_ENGINE_METRICS_H_
