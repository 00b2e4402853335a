#include "client/load/latency_summary.h"

#include <algorithm>

namespace windowkv::client {

void LatencySummary::Add(const LatencySummary& other) {
  latencies_.insert(latencies_.end(), other.latencies_.begin(), other.latencies_.end());
}

LatencyFigures LatencySummary::Figures() const {
  if (latencies_.empty()) return {};
  std::vector<absl::Duration> sorted = latencies_;
  std::sort(sorted.begin(), sorted.end());
  const auto percentile = [&](size_t percent) {
    return sorted[(sorted.size() * percent + 99) / 100 - 1];
  };
  absl::Duration sum;
  for (const absl::Duration latency : sorted) sum += latency;
  return {.count = sorted.size(),
          .mean = sum / static_cast<int64_t>(sorted.size()),
          .p50 = percentile(50),
          .p90 = percentile(90),
          .p95 = percentile(95),
          .p99 = percentile(99),
          .max = sorted.back()};
}

}  // namespace windowkv::client
