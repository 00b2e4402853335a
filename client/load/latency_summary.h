#ifndef WINDOWKV_CLIENT_LOAD_LATENCY_SUMMARY_H_
#define WINDOWKV_CLIENT_LOAD_LATENCY_SUMMARY_H_

#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace windowkv::client {

// A set of times in a few figures; all zero when there are none. A percentile is the smallest time
// that at least this share of all times do not exceed (nearest rank).
struct LatencyFigures {
  size_t count = 0;
  absl::Duration mean;
  absl::Duration p50;
  absl::Duration p90;
  absl::Duration p95;
  absl::Duration p99;
  absl::Duration max;
};

// Every time of a set, so that its figures are exact. A value; not thread-safe.
class LatencySummary {
 public:
  void Add(absl::Duration latency) { latencies_.push_back(latency); }
  void Add(const LatencySummary& other);

  LatencyFigures Figures() const;

 private:
  std::vector<absl::Duration> latencies_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_LATENCY_SUMMARY_H_
