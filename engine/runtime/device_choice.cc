#include "engine/runtime/device_choice.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "engine/base/status.h"
#include "engine/kernels/cuda_device.h"

namespace windowkv {

absl::StatusOr<at::Device> ChooseDevice(const std::string& name) {
  const int count = CudaDeviceCount();
  if (name == "cpu" || (name == "auto" && count == 0)) return at::Device(at::kCPU);
  if (name == "auto") return at::Device(at::kCUDA, 0);
  absl::string_view index = name;
  int number = 0;
  if (name != "cuda" && (!absl::ConsumePrefix(&index, "cuda:") ||
                         !absl::SimpleAtoi(index, &number) || number < 0 || number > 127)) {
    return InvalidField("device",
                        absl::StrCat("is \"", name, "\", must be auto, cpu, cuda or cuda:N"));
  }
  if (number < count) return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(number));
  return FieldError(absl::StatusCode::kNotFound, "device",
                    absl::StrCat("is \"", name, "\", but there ", count == 1 ? "is " : "are ",
                                 count, " CUDA device", count == 1 ? "" : "s",
                                 count == 0 ? ", or the program was built without CUDA" : ""));
}

}  // namespace windowkv
