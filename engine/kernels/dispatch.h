#ifndef WINDOWKV_ENGINE_KERNELS_DISPATCH_H_
#define WINDOWKV_ENGINE_KERNELS_DISPATCH_H_

#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Exception.h>

namespace windowkv {

// Calls `fn` with a value of the C++ type that stands for `dtype`: float or c10::BFloat16.
template <typename Fn>
void DispatchDtype(at::ScalarType dtype, Fn&& fn) {
  switch (dtype) {
    case at::kFloat:
      return fn(float{});
    case at::kBFloat16:
      return fn(c10::BFloat16{});
    default:
      TORCH_CHECK(false, "unsupported compute dtype ", dtype);
  }
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_DISPATCH_H_
