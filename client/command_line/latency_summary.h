#ifndef WINDOWKV_CLIENT_COMMAND_LINE_LATENCY_SUMMARY_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_LATENCY_SUMMARY_H_

#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace windowkv::client {

// Exact percentiles of a set of times. A value; not thread-safe.
class LatencySummary {
 public:
  void Add(absl::Duration latency) { latencies_.push_back(latency); }
  void Add(const LatencySummary& other);

  size_t count() const { return latencies_.size(); }
  // The smallest time that at least `share` of all times do not exceed (nearest rank); zero when
  // there are none. `share` in (0, 1].
  absl::Duration Percentile(double share) const;
  // Zero when there are none.
  absl::Duration Mean() const;

 private:
  std::vector<absl::Duration> latencies_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_LATENCY_SUMMARY_H_
