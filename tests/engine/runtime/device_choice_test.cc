#include "engine/runtime/device_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/kernels/cuda_device.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;

TEST(DeviceChoiceTest, TheProcessorIsAlwaysThere) {
  EXPECT_EQ(*ChooseDevice("cpu"), at::Device(at::kCPU));
}

TEST(DeviceChoiceTest, AutoTakesTheFirstCudaDeviceIfThereIsOne) {
  const at::Device expected =
      CudaDeviceCount() > 0 ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  EXPECT_EQ(*ChooseDevice("auto"), expected);
}

TEST(DeviceChoiceTest, ADeviceThatIsNotThereIsNotFound) {
  const absl::Status status = ChooseDevice("cuda:" + std::to_string(CudaDeviceCount())).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("CUDA device"));
}

TEST(DeviceChoiceTest, AnyOtherNameIsInvalid) {
  for (const std::string name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:200", "cuda0"}) {
    const absl::Status status = ChooseDevice(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("must be auto, cpu, cuda or cuda:N"));
  }
}

}  // namespace
}  // namespace windowkv
