#include "engine/kernels/work_timer.h"

#include "engine/base/monotonic_clock.h"

namespace windowkv {

void WorkTimer::Start(at::Device device) {
  if (device.is_cuda()) {
    marks_.emplace_back(MarkCuda(), CudaMark{});
  } else {
    start_ = MonotonicNow();
  }
}

void WorkTimer::Stop(at::Device device) {
  if (device.is_cuda()) {
    marks_.back().second = MarkCuda();
  } else {
    total_ += MonotonicNow() - start_;
  }
}

absl::Duration WorkTimer::Total() const {
  absl::Duration total = total_;
  for (const auto& [start, end] : marks_) total += CudaTimeBetween(start, end);
  return total;
}

}  // namespace windowkv
