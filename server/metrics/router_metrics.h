#ifndef WINDOWKV_SERVER_METRICS_ROUTER_METRICS_H_
#define WINDOWKV_SERVER_METRICS_ROUTER_METRICS_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/task.h"
#include "server/metrics/metrics_registry.h"

namespace windowkv {

// Events of a router; its metrics' names, labels and buckets stand in this class's source file.
// `backend` is a configured HOST:PORT, so the labels stay bounded. Owned by main; outlives the
// router. Thread-safe.
class RouterMetrics {
 public:
  // `registry` outlives this.
  explicit RouterMetrics(MetricsRegistry* registry);

  // Why the configured default task was used instead of a classifier's verdict.
  enum class Fallback {
    kNotConfigured,
    kNotClassifiable,  // the input is no text
    kUnavailable,
    kDeadlineExceeded,
    kError,
    kLowConfidence,
  };

  // A classifier found a task, `duration` after it was asked, whatever its confidence.
  void OnClassifierAnswered(absl::Duration duration);
  // A request takes the task that a classifier found.
  void OnClassified(Task task);
  void OnClassifierFallback(Fallback reason);
  // A task was found among those that classifiers found before.
  void OnTaskCacheHit();
  // Tasks that are kept now.
  void OnTaskCacheEntries(size_t entries);

  // A request goes to `backend`; each retry is another pick.
  void OnPicked(std::string_view backend);
  // `backend` failed with `code` before its first message and another pick follows.
  void OnRetry(std::string_view backend, absl::StatusCode code);
  // A load report came or failed.
  void OnBackendUp(std::string_view backend, bool up);
  // Streams open on `backend` now.
  void OnOpenStreams(std::string_view backend, int open_streams);

  // A Generate call ended, `duration` after its arrival.
  void OnRequestEnded(absl::StatusCode code, absl::Duration duration);
  // A client that did not read on had its request cancelled.
  void OnSlowReader();
  // From a request's arrival until it was sent to its first backend: the router's own delay and the
  // classifier's.
  void OnForwarded(absl::Duration since_arrival);

 private:
  CounterFamily& classified_;
  prometheus::Histogram& classify_duration_;
  CounterFamily& fallbacks_;
  prometheus::Counter& task_cache_hits_;
  prometheus::Gauge& task_cache_entries_;
  CounterFamily& picks_;
  CounterFamily& retries_;
  GaugeFamily& backend_up_;
  GaugeFamily& open_streams_;
  CounterFamily& requests_;
  prometheus::Counter& slow_readers_;
  prometheus::Histogram& duration_;
  prometheus::Histogram& forward_delay_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_ROUTER_METRICS_H_
