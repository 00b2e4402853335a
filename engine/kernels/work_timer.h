#ifndef WINDOWKV_ENGINE_KERNELS_WORK_TIMER_H_
#define WINDOWKV_ENGINE_KERNELS_WORK_TIMER_H_

#include <c10/core/Device.h>

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "engine/kernels/cuda_device.h"

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
  std::vector<std::pair<CudaMark, CudaMark>> marks_;  // where a part starts and ends
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_WORK_TIMER_H_
