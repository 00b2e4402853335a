#ifndef WINDOWKV_ENGINE_BASE_ENGINE_METRICS_H_
#define WINDOWKV_ENGINE_BASE_ENGINE_METRICS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace windowkv {

// What happens in the engine, as domain events; who listens gives them names, labels and buckets.
// Implementations are thread-safe and quick: the calls come from the engine thread, except where
// said.
class EngineMetrics {
 public:
  virtual ~EngineMetrics() = default;

  // A request ended well. `policy` and `finish_reason` are lower-case words ("windowkv", "stop").
  struct RequestEnd {
    std::string_view policy;
    std::string_view task;
    std::string_view finish_reason;
    int32_t prompt_tokens = 0;
    int32_t completion_tokens = 0;
    absl::Duration queued;
    absl::Duration prefill;
    absl::Duration decode;
    absl::Duration end_to_end;
    int64_t bytes_full = 0;
    int64_t bytes_kept = 0;
    int64_t bytes_prefill_peak = 0;
    absl::Duration selection_time;
    // Compression was asked for and every token was kept.
    bool kept_everything = false;
  };
  virtual void OnRequestFinished(const RequestEnd& end) = 0;
  // A request ended with an error, cancellation and refusal included. Any thread.
  virtual void OnRequestFailed(absl::StatusCode code) = 0;

  virtual void OnFirstToken(absl::Duration since_arrival) = 0;
  // Time between two tokens of one sequence.
  virtual void OnNextToken(absl::Duration since_previous) = 0;
  // One iteration of the engine: decoded sequences, prompt tokens times layers read, time taken.
  virtual void OnStep(int32_t decoded, int64_t prefill_token_layers, absl::Duration duration) = 0;

  // A running request gave its blocks back for one of higher priority.
  virtual void OnPreempted() {}
  // A request is ended because its deadline would pass before its first token could come;
  // OnRequestFailed follows.
  virtual void OnDeadlineUnreachable() {}

  // State after each step.
  struct State {
    int32_t running = 0;
    int32_t waiting = 0;
    // How many of the running would have a place in the pool if each reserved its full cache.
    int32_t running_full_cache = 0;
    int64_t pool_bytes_total = 0;
    // Held, or reserved for what running sequences have yet to read and generate.
    int64_t pool_bytes_used = 0;
    // What the running sequences' caches would hold now without compression.
    int64_t full_equivalent_bytes = 0;
    int64_t held_bytes = 0;
    // What LibTorch holds of a CUDA device: the pool, weights, activations, and memory kept for
    // later ones; not the CUDA context and the libraries' own. 0 on the processor.
    int64_t device_memory_bytes = 0;
  };
  virtual void OnState(const State& state) = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_BASE_ENGINE_METRICS_H_
