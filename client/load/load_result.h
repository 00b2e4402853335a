#ifndef WINDOWKV_CLIENT_LOAD_LOAD_RESULT_H_
#define WINDOWKV_CLIENT_LOAD_LOAD_RESULT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/load/latency_summary.h"
#include "client/load/request_record.h"

namespace windowkv::client {

// What a request must keep to count as good. Unset: no limit.
struct LatencyLimits {
  std::optional<absl::Duration> time_to_first_token = std::nullopt;
  // For the mean over one request's tokens; one that has a single token keeps it.
  std::optional<absl::Duration> between_tokens = std::nullopt;

  bool any() const { return time_to_first_token || between_tokens; }
  // Whether a request that was completed keeps them.
  bool Keeps(const RequestRecord& record) const;
};

// What a run came to, as far as it got. A value; not thread-safe.
struct LoadResult {
  // Every request that was sent ends in one of the next three.
  int64_t sent = 0;
  int64_t completed = 0;
  // By the run itself: the cancel share, and all that ran when it was interrupted.
  int64_t cancelled = 0;
  // By status code name.
  std::map<std::string, int64_t> errors;

  // Failed ones that came with a time after which to try again, and that reached no server.
  int64_t failed_with_retry_delay = 0;
  int64_t unreachable = 0;
  std::optional<absl::Status> first_error;

  int64_t peak_in_flight = 0;
  bool interrupted = false;
  // From the start to the last request's end.
  absl::Duration wall;

  // Of completed requests.
  int64_t good = 0;  // keep the limits
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  int64_t bytes_kept = 0;
  int64_t bytes_full = 0;
  LatencySummary time_to_first_token;
  LatencySummary between_tokens;
  LatencySummary end_to_end;
  LatencySummary queued;  // the server's own figure

  // Of all: sent after it was due. Of failed ones: due to failed.
  LatencySummary send_delay;
  LatencySummary time_to_failure;

  void AddCancelled(const RequestRecord& record);
  // Completed or failed, by its status.
  void AddEnded(const RequestRecord& record, const LatencyLimits& limits);

  int64_t failed() const;
  // Of the requests that were not cancelled: a failed one is not good.
  double GoodShare() const;
  double GoodShareOfCompleted() const;
  // 0 for a run that took no time.
  double PerSecond(int64_t count) const;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_LOAD_RESULT_H_
