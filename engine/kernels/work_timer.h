#ifndef WINDOWKV_ENGINE_KERNELS_WORK_TIMER_H_
#define WINDOWKV_ENGINE_KERNELS_WORK_TIMER_H_

#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <vector>

#include "absl/time/time.h"

namespace windowkv {

// Adds up how long parts of the calling thread's work take where it is done: on CUDA by marks in
// its stream, which wait for nothing. Not thread-safe.
class WorkTimer {
 public:
  void Start(at::Device device);
  void Stop(at::Device device);
  // Waits for what was timed.
  absl::Duration Total() const;

 private:
  absl::Duration start_;
  absl::Duration total_;
  std::vector<c10::Event> marks_;  // where a part starts, and where it ends
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_WORK_TIMER_H_
