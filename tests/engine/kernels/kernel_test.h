#ifndef WINDOWKV_TESTS_ENGINE_KERNELS_KERNEL_TEST_H_
#define WINDOWKV_TESTS_ENGINE_KERNELS_KERNEL_TEST_H_

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/kernels/cuda_device.h"

namespace windowkv {

// Where a kernel runs and what it computes with.
struct KernelTarget {
  at::DeviceType device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
};

// Those of this machine.
inline std::vector<KernelTarget> Float32Targets() {
  std::vector<KernelTarget> targets = {{at::kCPU, at::kFloat}};
  if (CudaDeviceCount() > 0) targets.push_back({at::kCUDA, at::kFloat});
  return targets;
}
inline std::vector<KernelTarget> KernelTargets() {
  std::vector<KernelTarget> targets = {{at::kCPU, at::kFloat}, {at::kCPU, at::kBFloat16}};
  if (CudaDeviceCount() > 0) {
    targets.push_back({at::kCUDA, at::kFloat});
    targets.push_back({at::kCUDA, at::kBFloat16});
  }
  return targets;
}

inline std::string KernelTargetName(const ::testing::TestParamInfo<KernelTarget>& info) {
  return std::string(info.param.device == at::kCPU ? "Cpu" : "Cuda") +
         (info.param.dtype == at::kFloat ? "Float32" : "Bfloat16");
}

// One test body for every device and dtype. References are computed in float64 from the inputs as
// the dtype holds them, so the tolerance covers the kernel's sums and one rounding of its result.
class KernelTest : public ::testing::TestWithParam<KernelTarget> {
 protected:
  KernelTest() {
    if (OnCuda()) UseCudaDevice(at::Device(at::kCUDA, 0));
  }

  at::TensorOptions Options() const {
    return at::TensorOptions().device(GetParam().device).dtype(GetParam().dtype);
  }

  // Uniform in [-1, 1].
  at::Tensor Random(at::IntArrayRef shape) {
    at::Tensor x = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
    float* out = x.mutable_data_ptr<float>();
    for (int64_t i = 0; i < x.numel(); ++i) {
      out[i] = static_cast<float>(random_() >> 8) * 0x1.0p-23f - 1;
    }
    return x.to(Options());
  }

  at::Tensor Empty(at::IntArrayRef shape) const { return at::empty(shape, Options()); }

  at::TensorOptions Floats() const { return Options().dtype(at::kFloat); }
  at::Tensor Ints(const std::vector<int32_t>& values) const {
    at::Tensor x = at::empty({static_cast<int64_t>(values.size())}, at::kInt);
    std::copy(values.begin(), values.end(), x.mutable_data_ptr<int32_t>());
    return x.to(GetParam().device);
  }

  bool OnCuda() const { return GetParam().device == at::kCUDA; }

  // `sum_error`: what the terms of a sum may add to the error in float32.
  void ExpectClose(const at::Tensor& actual, const at::Tensor& reference, double sum_error = 2e-6) {
    ASSERT_EQ(actual.sizes(), reference.sizes());
    const at::Tensor expected = reference.to(at::kCPU);
    const double rounding = actual.scalar_type() == at::kBFloat16 ? 0x1.0p-8 : 0x1.0p-22;
    const at::Tensor error = (actual.to(at::kCPU, at::kDouble) - expected).abs();
    const at::Tensor allowed = expected.abs() * rounding + sum_error;
    EXPECT_TRUE((error <= allowed).all().item<bool>())
        << "largest error " << error.max().item<double>();
  }

  std::mt19937 random_{1};
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_KERNELS_KERNEL_TEST_H_
