#ifndef WINDOWKV_ENGINE_REQUEST_SEQUENCE_H_
#define WINDOWKV_ENGINE_REQUEST_SEQUENCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "engine/kv_cache/sequence_kv_cache.h"
#include "engine/request/generation_request.h"
#include "engine/request/token_stream.h"

namespace windowkv {

// A request's tokens and state. Made by a tokenising worker, then owned by the scheduler and
// touched by the engine thread only. Times are MonotonicNow().
struct Sequence {
  // Constant once made.
  std::string request_id;
  std::shared_ptr<TokenStream> stream;
  std::vector<int32_t> prompt;
  int64_t queued_bytes = 0;  // what it counts for in the queue
  SamplingParams sampling;   // max_tokens cut to the context, seed set
  TaskVerdict task;
  CachePlan plan;
  bool echo_kept_ranges = false;
  int32_t priority = 0;
  absl::Duration deadline = absl::InfiniteDuration();
  absl::Duration arrival;
  // What each prefill slice costs, in multiply-adds; see the scheduler.
  std::vector<int64_t> slice_costs;

  // The scheduler's.
  std::optional<SequenceKvCache> cache;  // while it runs
  absl::Duration place;                  // in the queue: its arrival, earlier by its priority
  absl::Duration admitted;               // first
  absl::Duration last_admitted;          // differs after a preemption
  std::optional<absl::Duration> blocked_since;  // when it first did not fit
  int32_t preemptions = 0;

  // Progress. A preempted sequence keeps its output and computes the rest again.
  size_t slices_done = 0;
  std::vector<int32_t> output;  // tokens that have been read
  size_t decoded = 0;           // output tokens whose keys and values are cached, or on their way
  absl::Duration first_token;
  absl::Duration last_token;
  Receipt receipt;  // complete when the prompt has been read

  bool prefill_done() const { return slices_done == slice_costs.size(); }
  // Between decode steps: whether the token that the next one takes in has been chosen, or is being
  // chosen, and has not been read. One token at most is.
  bool next_token_unread() const { return decoded == output.size(); }
  // That token once it has been read, and its absolute position; the cached length differs after
  // compression.
  int32_t next_token() const { return output[decoded]; }
  int32_t next_position() const { return static_cast<int32_t>(prompt.size() + decoded); }
  // Once a step has been started: true when the token that it gives was sent before a preemption
  // and is only computed again.
  bool replaying() const { return decoded < output.size(); }
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_REQUEST_SEQUENCE_H_
