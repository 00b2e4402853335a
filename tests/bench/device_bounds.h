#ifndef WINDOWKV_TESTS_BENCH_DEVICE_BOUNDS_H_
#define WINDOWKV_TESTS_BENCH_DEVICE_BOUNDS_H_

#include <ATen/core/Tensor.h>

#include <string>

#include "engine/kernels/cuda_device.h"
#include "tests/bench/bench_model.h"

// What a GPU can do at best, and how long work takes on it.

namespace windowkv::bench {

const at::TensorOptions kBfloat16 = at::TensorOptions(at::kCUDA).dtype(at::kBFloat16);

// One line of the table; `must`: what it has to reach.
void Row(const std::string& what, double value, const std::string& unit, const std::string& must);

// Median seconds of a call's work on the device, of `runs` batches of `each` calls.
template <typename Call>
double DeviceSeconds(const Call& call, int each = 10, int runs = 7) {
  call();
  SynchronizeCuda();
  return MedianSeconds(runs,
                       [&] {
                         for (int i = 0; i < each; ++i) call();
                         SynchronizeCuda();
                       }) /
         each;
}

struct Bounds {
  double bytes_per_second = 0;  // read and written by a copy
  double flops = 0;             // of a large bfloat16 product
};

// Measured on this device, and printed.
Bounds MeasureBounds();

}  // namespace windowkv::bench

#endif  // WINDOWKV_TESTS_BENCH_DEVICE_BOUNDS_H_
