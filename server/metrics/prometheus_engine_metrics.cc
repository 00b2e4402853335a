#include "server/metrics/prometheus_engine_metrics.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"

namespace windowkv {
namespace {

// 256 KiB to 64 GiB, each four times the one before.
std::vector<double> ByteBounds() {
  std::vector<double> bounds;
  for (double bound = 256 << 10; bound <= double{64} * (1 << 30); bound *= 4) {
    bounds.push_back(bound);
  }
  return bounds;
}

// A decode step takes well under a millisecond on a small model.
std::vector<double> StepBounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
}

std::vector<double> BatchBounds() { return {0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512}; }

MetricLabels SuccessLabels(std::string_view policy, std::string_view task,
                           std::string_view finish_reason) {
  return {{"policy", std::string(policy)},
          {"task", std::string(task)},
          {"finish_reason", std::string(finish_reason)}};
}

MetricLabels CompressionLabels(std::string_view policy, std::string_view task) {
  return {{"policy", std::string(policy)}, {"task", std::string(task)}};
}

}  // namespace

PrometheusEngineMetrics::PrometheusEngineMetrics(MetricsRegistry* registry,
                                                 const std::string& model,
                                                 const std::vector<std::string>& policies)
    : PrometheusEngineMetrics(registry, MetricLabels{{"model", model}}) {
  AddExpectedSeries(policies);
}

PrometheusEngineMetrics::PrometheusEngineMetrics(MetricsRegistry* r, const MetricLabels& model)
    : registry_(r),
      model_(model),
      running_(r->AddGauge("windowkv_requests_running", "Requests being read or decoded", model)),
      running_full_cache_(r->AddGauge(
          "windowkv_requests_running_full_cache",
          "Of the running requests, how many would fit the KV pool with full caches", model)),
      waiting_(r->AddGauge("windowkv_requests_waiting", "Requests in the queue", model)),
      successes_(r->AddCounters("windowkv_request_success_total",
                                "Requests that ended well, by policy, task and finish reason",
                                model)),
      failures_(r->AddCounters("windowkv_request_failures_total",
                               "Requests that were refused or ended with an error, by code",
                               model)),
      prompt_tokens_(r->AddCounter("windowkv_prompt_tokens_total",
                                   "Prompt tokens of requests that ended well", model)),
      generated_tokens_(
          r->AddCounter("windowkv_generated_tokens_total", "Tokens generated", model)),
      time_to_first_token_(r->AddHistogram("windowkv_time_to_first_token_seconds",
                                           "From a request's arrival to its first token",
                                           LatencyBounds(), model)),
      inter_token_(r->AddHistogram("windowkv_inter_token_latency_seconds",
                                   "Between two tokens of one sequence", LatencyBounds(), model)),
      end_to_end_(r->AddHistogram("windowkv_request_duration_seconds",
                                  "From a request's arrival to its end", LatencyBounds(), model)),
      queued_(r->AddHistogram("windowkv_request_queue_seconds", "Waiting before prefill began",
                              LatencyBounds(), model)),
      prefill_(r->AddHistogram("windowkv_request_prefill_seconds",
                               "From the first prefill slice to the first token", LatencyBounds(),
                               model)),
      decode_(r->AddHistogram("windowkv_request_decode_seconds", "From the first token to the last",
                              LatencyBounds(), model)),
      pool_size_(r->AddGauge("windowkv_kv_pool_size_bytes", "KV blocks of the pool", model)),
      pool_used_(r->AddGauge("windowkv_kv_pool_used_bytes",
                             "KV blocks in use or reserved by admitted requests", model)),
      pool_utilization_(
          r->AddGauge("windowkv_kv_pool_utilization_ratio", "Share of the KV pool in use", model)),
      full_equivalent_(r->AddGauge("windowkv_kv_full_equivalent_bytes",
                                   "KV bytes a full cache would hold for what is running", model)),
      held_(r->AddGauge("windowkv_kv_held_bytes", "KV bytes held by what is running", model)),
      saved_now_(r->AddGauge("windowkv_kv_saved_now_bytes",
                             "KV bytes that compression saves for what is running", model)),
      device_memory_(r->AddGauge("windowkv_device_memory_bytes",
                                 "Memory of the CUDA device for the KV pool, weights and "
                                 "activations, without CUDA's own; 0 on the processor",
                                 model)),
      full_(r->AddCounters("windowkv_kv_full_bytes_total",
                           "KV bytes of prompts before compression, requests that ended well",
                           model)),
      saved_(r->AddCounters("windowkv_kv_saved_bytes_total",
                            "KV bytes of prompts that compression freed, requests that ended well",
                            model)),
      kept_fraction_(r->AddHistograms("windowkv_kv_kept_fraction",
                                      "Share of a prompt's KV bytes kept after prefill", model)),
      prefill_peak_(r->AddHistogram("windowkv_prefill_peak_bytes",
                                    "Most KV bytes alive at once while a prompt was read",
                                    ByteBounds(), model)),
      selection_(
          r->AddHistogram("windowkv_selection_seconds",
                          "Scoring, selecting and copying survivors, all layers of a prompt; "
                          "on a GPU, its own time",
                          LatencyBounds(), model)),
      kept_everything_(r->AddCounter("windowkv_compression_kept_everything_total",
                                     "Requests that asked for compression and kept every token",
                                     model)),
      slow_readers_(r->AddCounter("windowkv_slow_readers_total",
                                  "Requests cancelled because their client did not read on",
                                  model)),
      steps_(r->AddCounter("windowkv_engine_steps_total", "Iterations of the engine", model)),
      step_duration_(r->AddHistogram("windowkv_engine_step_seconds",
                                     "Duration of one iteration of the engine", StepBounds(),
                                     model)),
      batch_size_(r->AddHistogram("windowkv_engine_batch_size",
                                  "Sequences decoded in one iteration", BatchBounds(), model)),
      prefill_token_layers_(r->AddCounter("windowkv_prefill_token_layers_total",
                                          "Prompt tokens read times layers read", model)),
      preemptions_(r->AddCounter("windowkv_preemptions_total",
                                 "Times a running request gave its place to one of higher priority",
                                 model)),
      deadlines_unreachable_(
          r->AddCounter("windowkv_deadline_unreachable_total",
                        "Requests ended early because their deadline could not be met", model)) {}

void PrometheusEngineMetrics::AddExpectedSeries(const std::vector<std::string>& policies) {
  for (const std::string& policy : policies) {
    for (const char* task : {"localization", "aggregation"}) {
      full_.Add(CompressionLabels(policy, task));
      saved_.Add(CompressionLabels(policy, task));
      kept_fraction_.Add(CompressionLabels(policy, task), FractionBounds());
      for (const char* reason : {"stop", "length"}) {
        successes_.Add(SuccessLabels(policy, task, reason));
      }
    }
  }
  for (const auto code :
       {absl::StatusCode::kInvalidArgument, absl::StatusCode::kOutOfRange,
        absl::StatusCode::kResourceExhausted, absl::StatusCode::kUnavailable,
        absl::StatusCode::kFailedPrecondition, absl::StatusCode::kDeadlineExceeded,
        absl::StatusCode::kCancelled, absl::StatusCode::kInternal}) {
    failures_.Add({{"code", absl::StatusCodeToString(code)}});
  }
}

void PrometheusEngineMetrics::OnModelLoaded(const LoadedModel& model) {
  MetricLabels labels = model_;
  labels["architecture"] = model.architecture;
  labels["dtype"] = model.dtype;
  labels["context_length"] = std::to_string(model.context_length);
  labels["block_size"] = std::to_string(model.block_size);
  registry_->AddInfo("windowkv_model_info", "Always 1; the labels say what the model is", labels);
}

void PrometheusEngineMetrics::OnRequestFinished(const RequestEnd& end) {
  successes_.Add(SuccessLabels(end.policy, end.task, end.finish_reason)).Increment();
  prompt_tokens_.Increment(end.prompt_tokens);
  end_to_end_.Observe(absl::ToDoubleSeconds(end.end_to_end));
  queued_.Observe(absl::ToDoubleSeconds(end.queued));
  prefill_.Observe(absl::ToDoubleSeconds(end.prefill));
  decode_.Observe(absl::ToDoubleSeconds(end.decode));
  ObserveCompression(end);
}

void PrometheusEngineMetrics::OnSlowReader() { slow_readers_.Increment(); }

void PrometheusEngineMetrics::ObserveCompression(const RequestEnd& end) {
  prefill_peak_.Observe(static_cast<double>(end.bytes_prefill_peak));
  if (end.kept_everything) kept_everything_.Increment();
  if (end.bytes_full <= 0) return;
  const MetricLabels labels = CompressionLabels(end.policy, end.task);
  const auto full = static_cast<double>(end.bytes_full);
  const auto kept = static_cast<double>(end.bytes_kept);
  full_.Add(labels).Increment(full);
  saved_.Add(labels).Increment(std::max(full - kept, 0.0));
  kept_fraction_.Add(labels, FractionBounds()).Observe(kept / full);
  if (end.selection_time > absl::ZeroDuration()) {
    selection_.Observe(absl::ToDoubleSeconds(end.selection_time));
  }
}

void PrometheusEngineMetrics::OnRequestFailed(absl::StatusCode code) {
  failures_.Add({{"code", absl::StatusCodeToString(code)}}).Increment();
}

void PrometheusEngineMetrics::OnFirstToken(absl::Duration since_arrival) {
  generated_tokens_.Increment();
  time_to_first_token_.Observe(absl::ToDoubleSeconds(since_arrival));
}

void PrometheusEngineMetrics::OnNextToken(absl::Duration since_previous) {
  generated_tokens_.Increment();
  inter_token_.Observe(absl::ToDoubleSeconds(since_previous));
}

void PrometheusEngineMetrics::OnStep(int32_t decoded, int64_t prefill_token_layers,
                                     absl::Duration duration) {
  steps_.Increment();
  step_duration_.Observe(absl::ToDoubleSeconds(duration));
  batch_size_.Observe(decoded);
  prefill_token_layers_.Increment(static_cast<double>(prefill_token_layers));
}

void PrometheusEngineMetrics::OnPreempted() { preemptions_.Increment(); }

void PrometheusEngineMetrics::OnDeadlineUnreachable() { deadlines_unreachable_.Increment(); }

void PrometheusEngineMetrics::OnState(const State& state) {
  running_.Set(state.running);
  waiting_.Set(state.waiting);
  running_full_cache_.Set(state.running_full_cache);
  const auto total = static_cast<double>(state.pool_bytes_total);
  const auto used = static_cast<double>(state.pool_bytes_used);
  pool_size_.Set(total);
  pool_used_.Set(used);
  pool_utilization_.Set(total > 0 ? used / total : 0);
  full_equivalent_.Set(static_cast<double>(state.full_equivalent_bytes));
  held_.Set(static_cast<double>(state.held_bytes));
  device_memory_.Set(static_cast<double>(state.device_memory_bytes));
  saved_now_.Set(
      static_cast<double>(std::max<int64_t>(state.full_equivalent_bytes - state.held_bytes, 0)));
}

}  // namespace windowkv
