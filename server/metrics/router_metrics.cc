#include "server/metrics/router_metrics.h"

#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "server/metrics/task_label.h"

namespace windowkv {
namespace {

const char* FallbackName(RouterMetrics::Fallback reason) {
  switch (reason) {
    case RouterMetrics::Fallback::kNotConfigured:
      return "not_configured";
    case RouterMetrics::Fallback::kNotClassifiable:
      return "not_classifiable";
    case RouterMetrics::Fallback::kUnavailable:
      return "unavailable";
    case RouterMetrics::Fallback::kDeadlineExceeded:
      return "deadline_exceeded";
    case RouterMetrics::Fallback::kLowConfidence:
      return "low_confidence";
    case RouterMetrics::Fallback::kError:
      break;
  }
  return "error";
}

MetricLabels BackendLabel(std::string_view backend) { return {{"backend", std::string(backend)}}; }

}  // namespace

RouterMetrics::RouterMetrics(MetricsRegistry* r)
    : classified_(r->AddCounters("windowkv_router_classified_total",
                                 "Requests that took the task a classifier found, by task")),
      classify_duration_(r->AddHistogram("windowkv_router_classify_seconds",
                                         "Duration of the classifier's answers", LatencyBounds())),
      fallbacks_(r->AddCounters("windowkv_router_classifier_fallbacks_total",
                                "Requests that took the configured default task, by reason")),
      task_cache_hits_(r->AddCounter("windowkv_router_task_cache_hits_total",
                                     "Texts whose task had been found before, so that no "
                                     "classifier was asked")),
      task_cache_entries_(
          r->AddGauge("windowkv_router_task_cache_entries", "Texts whose task is kept")),
      picks_(r->AddCounters("windowkv_router_picks_total",
                            "Requests sent to a backend, retries included")),
      retries_(r->AddCounters("windowkv_router_retries_total",
                              "Requests that went to another backend, by the one that failed")),
      backend_up_(r->AddGauges("windowkv_router_backend_up",
                               "1 while the backend takes requests, 0 while it does not")),
      open_streams_(r->AddGauges("windowkv_router_open_streams", "Streams open on the backend")),
      requests_(r->AddCounters("windowkv_router_requests_total", "Generate calls, by final code")),
      slow_readers_(r->AddCounter("windowkv_router_slow_readers_total",
                                  "Requests cancelled because their client did not read on")),
      duration_(r->AddHistogram("windowkv_router_request_duration_seconds",
                                "From a Generate call's arrival to its end", LatencyBounds())),
      forward_delay_(r->AddHistogram("windowkv_router_forward_delay_seconds",
                                     "From a Generate call's arrival to its first backend",
                                     LatencyBounds())) {
  for (const Fallback reason :
       {Fallback::kNotConfigured, Fallback::kNotClassifiable, Fallback::kUnavailable,
        Fallback::kDeadlineExceeded, Fallback::kError, Fallback::kLowConfidence}) {
    fallbacks_.Add({{"reason", FallbackName(reason)}});
  }
  // Series that exist from the start, so that a rate sees their first event.
  for (const Task task : {Task::kLocalization, Task::kAggregation}) {
    classified_.Add({{"task", TaskLabel(task)}});
  }
  for (const auto code : {absl::StatusCode::kOk, absl::StatusCode::kUnavailable,
                          absl::StatusCode::kInternal, absl::StatusCode::kResourceExhausted}) {
    requests_.Add({{"code", absl::StatusCodeToString(code)}});
  }
}

void RouterMetrics::OnClassifierAnswered(absl::Duration duration) {
  classify_duration_.Observe(absl::ToDoubleSeconds(duration));
}

void RouterMetrics::OnClassified(Task task) {
  classified_.Add({{"task", TaskLabel(task)}}).Increment();
}

void RouterMetrics::OnClassifierFallback(Fallback reason) {
  fallbacks_.Add({{"reason", FallbackName(reason)}}).Increment();
}

void RouterMetrics::OnTaskCacheHit() { task_cache_hits_.Increment(); }

void RouterMetrics::OnTaskCacheEntries(size_t entries) {
  task_cache_entries_.Set(static_cast<double>(entries));
}

void RouterMetrics::OnPicked(std::string_view backend) {
  picks_.Add(BackendLabel(backend)).Increment();
}

void RouterMetrics::OnRetry(std::string_view backend, absl::StatusCode code) {
  retries_.Add({{"backend", std::string(backend)}, {"code", absl::StatusCodeToString(code)}})
      .Increment();
}

void RouterMetrics::OnBackendUp(std::string_view backend, bool up) {
  backend_up_.Add(BackendLabel(backend)).Set(up ? 1 : 0);
}

void RouterMetrics::OnOpenStreams(std::string_view backend, int open_streams) {
  open_streams_.Add(BackendLabel(backend)).Set(open_streams);
}

void RouterMetrics::OnRequestEnded(absl::StatusCode code, absl::Duration duration) {
  requests_.Add({{"code", absl::StatusCodeToString(code)}}).Increment();
  duration_.Observe(absl::ToDoubleSeconds(duration));
}

void RouterMetrics::OnSlowReader() { slow_readers_.Increment(); }

void RouterMetrics::OnForwarded(absl::Duration since_arrival) {
  forward_delay_.Observe(absl::ToDoubleSeconds(since_arrival));
}

}  // namespace windowkv
