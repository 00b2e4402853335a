#ifndef WINDOWKV_TESTS_ENGINE_MODEL_TEST_DEVICE_H_
#define WINDOWKV_TESTS_ENGINE_MODEL_TEST_DEVICE_H_

#include <c10/core/Device.h>

#include <cstdlib>

#include "engine/kernels/cuda_device.h"

namespace windowkv::testing {

// Where tests run models: on the CPU, or where WINDOWKV_TEST_DEVICE says ("cuda").
inline at::Device TestDevice() {
  const char* name = std::getenv("WINDOWKV_TEST_DEVICE");
  if (name == nullptr) return at::kCPU;
  const at::Device device(name);
  const at::Device with_index(device.type(), static_cast<at::DeviceIndex>(0));
  if (device.is_cuda()) UseCudaDevice(with_index);
  return with_index;
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_MODEL_TEST_DEVICE_H_
