#include "client/command_line/latency_summary.h"

#include <algorithm>
#include <cmath>

namespace windowkv::client {

void LatencySummary::Add(const LatencySummary& other) {
  latencies_.insert(latencies_.end(), other.latencies_.begin(), other.latencies_.end());
}

absl::Duration LatencySummary::Percentile(double share) const {
  if (latencies_.empty()) return absl::ZeroDuration();
  const double rank = std::ceil(share * static_cast<double>(latencies_.size()));
  const size_t index = std::min(static_cast<size_t>(std::max(rank, 1.0)), latencies_.size()) - 1;
  std::vector<absl::Duration> sorted = latencies_;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index),
                   sorted.end());
  return sorted[index];
}

absl::Duration LatencySummary::Mean() const {
  if (latencies_.empty()) return absl::ZeroDuration();
  absl::Duration sum;
  for (const absl::Duration latency : latencies_) sum += latency;
  return sum / static_cast<int64_t>(latencies_.size());
}

}  // namespace windowkv::client
