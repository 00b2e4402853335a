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
  SamplingParams sampling;  // max_tokens cut to the context, seed set
  TaskVerdict task;
  CachePlan plan;
  bool echo_kept_ranges = false;
  absl::Duration deadline = absl::InfiniteDuration();
  absl::Duration arrival;
  // What each prefill slice costs, in multiply-adds; see the scheduler.
  std::vector<int64_t> slice_costs;

  // Set by the scheduler on admission.
  std::optional<SequenceKvCache> cache;
  absl::Duration admitted;

  // Progress.
  size_t slices_done = 0;
  std::vector<int32_t> output;
  absl::Duration first_token;
  absl::Duration last_token;
  Receipt receipt;  // complete when the prompt has been read

  bool prefill_done() const { return slices_done == slice_costs.size(); }
  // Absolute position of the newest token; the cached length differs after compression.
  int32_t newest_position() const {
    return static_cast<int32_t>(prompt.size() + output.size()) - 1;
  }
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_REQUEST_SEQUENCE_H_
