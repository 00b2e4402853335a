#include "engine/kernels/work_timer.h"

#include <cstddef>

#include "engine/base/monotonic_clock.h"
#include "engine/kernels/device_mark.h"

namespace windowkv {

void WorkTimer::Start(at::Device device) {
  if (device.is_cuda()) {
    marks_.push_back(MarkDevice(device));
  } else {
    start_ = MonotonicNow();
  }
}

void WorkTimer::Stop(at::Device device) {
  if (device.is_cuda()) {
    marks_.push_back(MarkDevice(device));
  } else {
    total_ += MonotonicNow() - start_;
  }
}

absl::Duration WorkTimer::Total() const {
  absl::Duration total = total_;
  for (size_t i = 0; i + 1 < marks_.size(); i += 2) {
    marks_[i + 1].synchronize();
    total += absl::Milliseconds(marks_[i].elapsedTime(marks_[i + 1]));
  }
  return total;
}

}  // namespace windowkv
