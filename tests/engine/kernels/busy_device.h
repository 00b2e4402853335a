#ifndef WINDOWKV_TESTS_ENGINE_KERNELS_BUSY_DEVICE_H_
#define WINDOWKV_TESTS_ENGINE_KERNELS_BUSY_DEVICE_H_

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>

#include <cstdint>

#include "engine/kernels/device_mark.h"

namespace windowkv::testing {

// Gives a GPU a fraction of a second to copy, ahead of what is started next. The mark is behind
// it. Copies, since a tool that looks at every access of a kernel would make minutes of one.
inline c10::Event KeepBusy(at::Device device) {
  const at::Tensor from = at::ones({int64_t{1} << 30}, at::TensorOptions(device).dtype(at::kByte));
  at::Tensor to = at::empty_like(from);
  for (int i = 0; i < 400; ++i) to.copy_(from, /*non_blocking=*/true);
  return MarkDevice(device);
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_KERNELS_BUSY_DEVICE_H_
