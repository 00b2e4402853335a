#ifndef WINDOWKV_CLIENT_LOAD_LOAD_CLOCK_H_
#define WINDOWKV_CLIENT_LOAD_LOAD_CLOCK_H_

#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace windowkv::client {

// The time of a run, and the waiting for it. Thread-safe.
class LoadClock {
 public:
  virtual ~LoadClock() = default;
  // Since some fixed moment; never falls.
  virtual absl::Duration Now() = 0;
  // Blocks until `time` or until `changed` is notified; may also return early. `lock` is held
  // before and after.
  virtual void WaitUntil(absl::Duration time, std::condition_variable* changed,
                         std::unique_lock<std::mutex>* lock) = 0;
};

// The machine's monotonic clock.
class MonotonicClock final : public LoadClock {
 public:
  absl::Duration Now() override;
  void WaitUntil(absl::Duration time, std::condition_variable* changed,
                 std::unique_lock<std::mutex>* lock) override;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_LOAD_CLOCK_H_
