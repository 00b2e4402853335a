#ifndef WINDOWKV_CLIENT_COMMAND_LINE_BENCH_RUNNER_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_BENCH_RUNNER_H_

#include <windowkv/v1/generation.pb.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "client/client.h"
#include "client/command_line/latency_summary.h"

namespace windowkv::client {

// What a run of many requests came to. Times are the client's own.
struct BenchResult {
  int completed = 0;
  // Failed requests by status code name, and those among them that reached no server.
  std::map<std::string, int> errors;
  int unreachable = 0;
  // The first error, as ErrorLine prints it.
  std::string first_error;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  absl::Duration wall;
  // From the call to the first chunk that carries a token, between tokens, and from the call to
  // the stream's end; completed requests only.
  LatencySummary time_to_first_token;
  LatencySummary inter_token;
  LatencySummary end_to_end;

  double OutputTokensPerSecond() const;
};

// Sends `request` `requests` times, `concurrency` at a time, each stream followed to its end before
// the next begins (a closed loop). Blocks; uses one thread per concurrent stream. Stops early when
// the call options' cancellation fires.
BenchResult RunBench(Client& client, const v1::GenerateRequest& request, int concurrency,
                     int requests, const CallOptions& options);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_BENCH_RUNNER_H_
