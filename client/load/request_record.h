#ifndef WINDOWKV_CLIENT_LOAD_REQUEST_RECORD_H_
#define WINDOWKV_CLIENT_LOAD_REQUEST_RECORD_H_

#include <windowkv/v1/generation.pb.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/load/latency_summary.h"

namespace windowkv::client {

// How one request went, seen from the client. All times given are of one clock; the latencies count
// from when the request was due, so that a client that sends late does not flatter the server.
// Not thread-safe.
class RequestRecord {
 public:
  RequestRecord(absl::Duration due, absl::Duration sent) : due_(due), send_delay_(sent - due) {}

  void OnMessage(absl::Duration now, const v1::GenerateResponse& message);
  // The last call.
  void OnDone(absl::Duration now, const absl::Status& status);

  const absl::Status& status() const { return status_; }
  absl::Duration send_delay() const { return send_delay_; }
  absl::Duration end_to_end() const { return end_to_end_; }
  // To the first message with a token; unset when there was none.
  std::optional<absl::Duration> time_to_first_token() const { return time_to_first_token_; }
  // A time per token after the first message's. Tokens that come in one message share the time
  // since the one before evenly.
  const LatencySummary& between_tokens() const { return between_tokens_; }
  // Their mean; unset when there is none.
  std::optional<absl::Duration> mean_between_tokens() const;
  // What the server said at the end.
  const v1::Finished& finished() const { return finished_; }

 private:
  const absl::Duration due_;
  const absl::Duration send_delay_;
  absl::Status status_;
  absl::Duration end_to_end_;
  std::optional<absl::Duration> time_to_first_token_;
  absl::Duration last_token_;  // as time_to_first_token_ counts
  int tokens_after_first_ = 0;
  LatencySummary between_tokens_;
  v1::Finished finished_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_REQUEST_RECORD_H_
