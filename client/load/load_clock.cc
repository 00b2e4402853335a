#include "client/load/load_clock.h"

#include <algorithm>
#include <chrono>

namespace windowkv::client {

absl::Duration MonotonicClock::Now() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

void MonotonicClock::WaitUntil(absl::Duration time, std::condition_variable* changed,
                               std::unique_lock<std::mutex>* lock) {
  const absl::Duration kLongest = absl::Hours(1);  // what is added to the time must not overflow
  changed->wait_for(*lock, absl::ToChronoNanoseconds(std::min(time - Now(), kLongest)));
}

}  // namespace windowkv::client
