#ifndef WINDOWKV_ENGINE_BASE_MONOTONIC_CLOCK_H_
#define WINDOWKV_ENGINE_BASE_MONOTONIC_CLOCK_H_

#include <chrono>

#include "absl/time/time.h"

namespace windowkv {

// Time since some fixed moment, unmoved by changes of the wall clock. Only differences mean
// anything.
inline absl::Duration MonotonicNow() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_BASE_MONOTONIC_CLOCK_H_
