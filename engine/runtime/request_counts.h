#ifndef WINDOWKV_ENGINE_RUNTIME_REQUEST_COUNTS_H_
#define WINDOWKV_ENGINE_RUNTIME_REQUEST_COUNTS_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"

namespace windowkv {

// How many accepted requests wait and how many run: the bound of the queue, and what a drain waits
// for. Thread-safe.
class RequestCounts {
 public:
  // One more waiting request; false when `max_waiting` wait already.
  bool Enqueue(int32_t max_waiting) {
    std::lock_guard<std::mutex> lock(mu_);
    if (waiting_ >= max_waiting) return false;
    ++waiting_;
    return true;
  }

  void OnAdmitted() {
    std::lock_guard<std::mutex> lock(mu_);
    --waiting_;
    ++running_;
  }

  void OnEnded(bool was_admitted) {
    std::lock_guard<std::mutex> lock(mu_);
    --(was_admitted ? running_ : waiting_);
    if (waiting_ + running_ == 0) idle_cv_.notify_all();
  }

  // False when `timeout` passed first.
  bool WaitUntilIdle(absl::Duration timeout) {
    std::unique_lock<std::mutex> lock(mu_);
    return idle_cv_.wait_for(lock, absl::ToChronoNanoseconds(timeout),
                             [this]() { return waiting_ + running_ == 0; });
  }

  int32_t waiting() const {
    std::lock_guard<std::mutex> lock(mu_);
    return waiting_;
  }
  int32_t running() const {
    std::lock_guard<std::mutex> lock(mu_);
    return running_;
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable idle_cv_;
  int32_t waiting_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int32_t running_ WINDOWKV_GUARDED_BY(mu_) = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_REQUEST_COUNTS_H_
