#ifndef WINDOWKV_ENGINE_RUNTIME_REQUEST_QUEUE_H_
#define WINDOWKV_ENGINE_RUNTIME_REQUEST_QUEUE_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"

namespace windowkv {

// How many accepted requests wait and how many run: the bounds of the queue, and what a drain waits
// for. Measures how fast the queue moves, so that a refusal can say when to come again. Times are
// MonotonicNow(), passed in. Thread-safe.
class RequestQueue {
 public:
  struct Limits {
    int32_t requests = 256;
    int64_t bytes = int64_t{256} << 20;  // of prompts
    // A request whose prompt's turn to be read would come later is refused; zero: none is for that.
    absl::Duration wait = absl::ZeroDuration();
  };

  explicit RequestQueue(const Limits& limits) : limits_(limits) {}

  // One more waiting request, whose prompt has `bytes`. RESOURCE_EXHAUSTED with a retry delay when
  // that exceeds a limit. Where nobody waits a prompt may have any size, and behind at most one
  // other it may come to wait as long as it takes.
  absl::Status Enter(int64_t bytes);

  // How far a request had come.
  enum class Stage { kWaiting, kUnread, kRead };
  void OnAdmitted(int64_t bytes);
  void OnRead(absl::Duration now);  // its first token has come
  void OnEnded(Stage stage, int64_t bytes);

  // False when `timeout` passed first.
  bool WaitUntilIdle(absl::Duration timeout);

  int32_t waiting() const;
  int32_t running() const;  // unread ones too
  // How long a request that comes now waits until it is its turn to be read, by the number before
  // it and the queue's pace; nothing when the pace is not known yet.
  std::optional<absl::Duration> ExpectedWait() const;

 private:
  absl::Status RefusalLocked(int64_t bytes) const;
  std::optional<absl::Duration> ExpectedWaitLocked() const;
  void LeaveLocked(int64_t bytes);

  const Limits limits_;
  mutable std::mutex mu_;
  std::condition_variable idle_cv_;
  int32_t waiting_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int64_t waiting_bytes_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int32_t unread_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int32_t read_ WINDOWKV_GUARDED_BY(mu_) = 0;
  // Between two prompts read to their ends while others wait for that; a moving average.
  std::optional<absl::Duration> interval_ WINDOWKV_GUARDED_BY(mu_);
  int64_t intervals_ WINDOWKV_GUARDED_BY(mu_) = 0;  // measured so far
  // When the last prompt was read that left others unread.
  std::optional<absl::Duration> last_read_ WINDOWKV_GUARDED_BY(mu_);
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_REQUEST_QUEUE_H_
