#include "client/command_line/bench_runner.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/command_line/error_line.h"
#include "client/error_details.h"

namespace windowkv::client {
namespace {

// Measures one stream and adds it to `result`.
void RunOne(Client& client, const v1::GenerateRequest& request, const CallOptions& options,
            BenchResult* result) {
  const absl::Time start = absl::Now();
  std::optional<absl::Time> last_token;
  absl::Duration first;
  LatencySummary between;
  v1::Usage usage;
  const absl::Status status =
      client.Generate(request, options, [&](const v1::GenerateResponse& message) {
        if (message.has_finished()) usage = message.finished().usage();
        const int tokens = message.has_chunk() ? message.chunk().token_ids_size() : 0;
        if (tokens == 0) return;
        const absl::Time now = absl::Now();
        if (!last_token) {
          first = now - start;
        } else {
          for (int i = 0; i < tokens; ++i) between.Add((now - *last_token) / tokens);
        }
        last_token = now;
      });
  if (!status.ok()) {
    ++result->errors[absl::StatusCodeToString(status.code())];
    if (IsUnreachable(status)) ++result->unreachable;
    if (result->first_error.empty()) result->first_error = ErrorLine(status);
    return;
  }
  ++result->completed;
  result->prompt_tokens += usage.prompt_tokens();
  result->output_tokens += usage.completion_tokens();
  if (last_token) result->time_to_first_token.Add(first);
  result->inter_token.Add(between);
  result->end_to_end.Add(absl::Now() - start);
}

void Merge(const BenchResult& part, BenchResult* total) {
  total->completed += part.completed;
  for (const auto& [code, count] : part.errors) total->errors[code] += count;
  total->unreachable += part.unreachable;
  if (total->first_error.empty()) total->first_error = part.first_error;
  total->prompt_tokens += part.prompt_tokens;
  total->output_tokens += part.output_tokens;
  total->time_to_first_token.Add(part.time_to_first_token);
  total->inter_token.Add(part.inter_token);
  total->end_to_end.Add(part.end_to_end);
}

bool Interrupted(const CallOptions& options) {
  return options.cancellation != nullptr && options.cancellation->cancelled();
}

}  // namespace

double BenchResult::OutputTokensPerSecond() const {
  const double seconds = absl::ToDoubleSeconds(wall);
  return seconds > 0 ? static_cast<double>(output_tokens) / seconds : 0;
}

BenchResult RunBench(Client& client, const v1::GenerateRequest& request, int concurrency,
                     int requests, const CallOptions& options) {
  BenchResult total;
  std::mutex mu;  // guards total while threads run
  std::atomic<int> next{0};
  const absl::Time start = absl::Now();
  const auto work = [&] {
    BenchResult part;
    v1::GenerateRequest own = request;
    for (int i = next++; i < requests && !Interrupted(options); i = next++) {
      if (!request.request_id().empty()) {
        own.set_request_id(absl::StrCat(request.request_id(), "-", i));
      }
      RunOne(client, own, options, &part);
    }
    std::lock_guard lock(mu);
    Merge(part, &total);
  };
  const int num_threads = std::min(concurrency, requests);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(num_threads));
  for (int i = 0; i < num_threads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  total.wall = absl::Now() - start;
  return total;
}

}  // namespace windowkv::client
