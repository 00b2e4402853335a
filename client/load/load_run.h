#ifndef WINDOWKV_CLIENT_LOAD_LOAD_RUN_H_
#define WINDOWKV_CLIENT_LOAD_LOAD_RUN_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/client.h"
#include "client/load/arrival_process.h"
#include "client/load/load_clock.h"
#include "client/load/load_requests.h"
#include "client/load/load_result.h"

namespace windowkv::client {

struct LoadPlan {
  // Open loop: each request is sent when it is due, whatever has become of those before it.
  std::optional<ArrivalProcess> arrivals = std::nullopt;
  // Closed loop, without arrivals: so many requests in flight, the next sent when one ends.
  int concurrency = 1;
  // No request is sent when one of them is reached; those in flight are followed to their end.
  int64_t requests = std::numeric_limits<int64_t>::max();
  absl::Duration duration = absl::InfiniteDuration();
  // Of each request.
  absl::Duration timeout = absl::InfiniteDuration();
  std::string traceparent = {};
  LatencyLimits limits = {};
};

struct LoadProgress {
  int64_t sent = 0;
  int64_t completed = 0;
  int64_t failed = 0;
  int64_t in_flight = 0;
  absl::Duration elapsed;
};

// Tells how far a run is, on the thread that runs it.
struct ProgressReports {
  absl::Duration interval = absl::InfiniteDuration();
  std::function<void(const LoadProgress&)> report;
};

// Sends `requests` to the clients in turn and measures their streams. Blocks; takes no thread per
// request. A request that fails is counted and the rest go on; `interrupt`, which may be null, ends
// the run and cancels what is in flight. There is at least one client.
LoadResult RunLoad(const std::vector<std::unique_ptr<Client>>& clients,
                   const LoadRequests& requests, const LoadPlan& plan, LoadClock* clock,
                   Cancellation* interrupt, const ProgressReports& progress);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_LOAD_RUN_H_
