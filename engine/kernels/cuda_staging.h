#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_STAGING_H_
#define WINDOWKV_ENGINE_KERNELS_CUDA_STAGING_H_

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace windowkv {

// The bytes of `values` on `device`, brought there by the current stream out of pinned memory,
// which LibTorch does not use again before: nobody waits. Undefined when there are none.
template <typename T>
at::Tensor StagedCopy(const std::vector<T>& values, at::Device device) {
  if (values.empty()) return {};
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
  const at::Tensor host = at::empty({bytes}, at::TensorOptions(at::kByte).pinned_memory(true));
  std::memcpy(host.mutable_data_ptr(), values.data(), static_cast<size_t>(bytes));
  return host.to(device, /*non_blocking=*/true);
}
// Of a staged copy; null when it is undefined.
template <typename T>
const T* StagedData(const at::Tensor& copy) {
  return copy.defined() ? static_cast<const T*>(copy.const_data_ptr()) : nullptr;
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_STAGING_H_
