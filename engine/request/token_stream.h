#ifndef WINDOWKV_ENGINE_REQUEST_TOKEN_STREAM_H_
#define WINDOWKV_ENGINE_REQUEST_TOKEN_STREAM_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "engine/kv_cache/receipt.h"

namespace windowkv {

struct TokenLogprob {
  int32_t token_id = 0;
  float logprob = 0;  // natural logarithm, after penalties and biases, before temperature
  std::string text;
};

struct TokenLogprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  // most likely first
};

enum class FinishReason { kStop, kLength };

struct Usage {
  int32_t prompt_tokens = 0;
  int32_t completion_tokens = 0;
  absl::Duration queued;
  absl::Duration prefill;
  absl::Duration decode;
  absl::Duration time_to_first_token;
};

// Events of one request, in the order they come: AcceptedEvent, then ProgressEvent and ChunkEvent,
// then FinishedEvent. An absl::Status may end the stream at any point; as the first event it is a
// refusal.
struct AcceptedEvent {
  int32_t prompt_tokens = 0;
  TaskVerdict task;
  CacheConfig cache;
};
struct ProgressEvent {
  int32_t layers_done = 0;
  int32_t layers_total = 0;
};
struct ChunkEvent {
  std::string text;  // whole UTF-8 characters
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprobs> logprobs;
};
struct FinishedEvent {
  FinishReason reason = FinishReason::kStop;
  std::string matched_stop;
  Usage usage;
  Receipt receipt;
};
using StreamEvent =
    std::variant<AcceptedEvent, ProgressEvent, ChunkEvent, FinishedEvent, absl::Status>;

// True for the events after which no other comes.
bool IsLast(const StreamEvent& event);

// The way back from the engine to one caller: the engine thread and tokenising workers push, one
// consumer takes. Shared by both sides through a shared_ptr, the only object that is. Thread-safe.
//
// What a slow consumer has not taken is merged (chunks are appended to the last chunk, a newer
// progress replaces an older one). When a few full chunks wait nevertheless the stream is
// congested, and the engine generates no more for it until the consumer has caught up.
class TokenStream {
 public:
  // `wake` is called when the producer has something to see to: the consumer has cancelled, or has
  // caught up. From the consumer's thread, never after the last event has been pushed; it must not
  // call back into the stream.
  explicit TokenStream(std::function<void()> wake = {}) : wake_(std::move(wake)) {}

  // Consumer side. The next event, or nothing when none is ready.
  std::optional<StreamEvent> TryNext();

  // Waits for the next event. Nothing when `timeout` passed first.
  std::optional<StreamEvent> Next(absl::Duration timeout = absl::InfiniteDuration());

  // `ready` is called, from whatever thread pushes, each time an event comes where none was
  // waiting, and at once if some wait already. It must not block. An empty function removes it;
  // once this returns, the former callback is not running and will not run.
  void SetReadyCallback(std::function<void()> ready);

  // Asks the engine to end the request; it does within one step. Any thread, any time.
  void Cancel();

  // Producer side.
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  bool congested() const { return congested_.load(std::memory_order_acquire); }
  void Push(StreamEvent event);

 private:
  const std::function<void()> wake_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> congested_{false};
  std::mutex mu_;
  std::condition_variable event_cv_;
  std::deque<StreamEvent> events_ WINDOWKV_GUARDED_BY(mu_);
  bool ended_ WINDOWKV_GUARDED_BY(mu_) = false;  // the last event was pushed
  // Held while the callback runs, so that SetReadyCallback can wait for it.
  std::mutex callback_mu_;
  std::function<void()> ready_ WINDOWKV_GUARDED_BY(callback_mu_);
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_REQUEST_TOKEN_STREAM_H_
