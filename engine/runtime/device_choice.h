#ifndef WINDOWKV_ENGINE_RUNTIME_DEVICE_CHOICE_H_
#define WINDOWKV_ENGINE_RUNTIME_DEVICE_CHOICE_H_

#include <c10/core/Device.h>

#include <string>

#include "absl/status/statusor.h"

namespace windowkv {

// The device that EngineConfig::device names. INVALID_ARGUMENT when it is none of "auto", "cpu",
// "cuda" and "cuda:N"; NOT_FOUND when this machine, or this program, does not have it.
absl::StatusOr<at::Device> ChooseDevice(const std::string& name);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_DEVICE_CHOICE_H_
