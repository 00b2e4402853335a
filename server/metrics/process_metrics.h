#ifndef WINDOWKV_SERVER_METRICS_PROCESS_METRICS_H_
#define WINDOWKV_SERVER_METRICS_PROCESS_METRICS_H_

#include <vector>

#include "prometheus/metric_family.h"

namespace windowkv {

// This process in the names that every Prometheus client uses (process_resident_memory_bytes and so
// on), read from /proc when asked. Owned by MetricsRegistry. Thread-safe: it has no state that
// changes.
class ProcessMetrics {
 public:
  ProcessMetrics();

  // What cannot be read is left out.
  void AppendTo(std::vector<prometheus::MetricFamily>* families) const;

 private:
  const double page_bytes_;
  const double ticks_per_second_;
  const double start_time_seconds_;  // since the Unix epoch; 0 when unknown
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_PROCESS_METRICS_H_
