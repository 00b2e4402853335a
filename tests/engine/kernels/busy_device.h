#ifndef WINDOWKV_TESTS_ENGINE_KERNELS_BUSY_DEVICE_H_
#define WINDOWKV_TESTS_ENGINE_KERNELS_BUSY_DEVICE_H_

#include <ATen/core/Tensor.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include "engine/kernels/device_mark.h"

namespace windowkv::testing {

// Gives a GPU a fraction of a second to compute, ahead of what is started next. The mark is behind
// it.
inline c10::Event KeepBusy(at::Device device) {
  constexpr int64_t kSize = 8192;
  const at::Tensor x = at::ones({kSize, kSize}, at::TensorOptions(device).dtype(at::kFloat));
  for (int i = 0; i < 20; ++i) at::mm(x, x);
  return MarkDevice(device);
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_KERNELS_BUSY_DEVICE_H_
