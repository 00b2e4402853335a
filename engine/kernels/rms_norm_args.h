#ifndef WINDOWKV_ENGINE_KERNELS_RMS_NORM_ARGS_H_
#define WINDOWKV_ENGINE_KERNELS_RMS_NORM_ARGS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace windowkv {

// What RmsNorm is asked, as the twins' kernels take it. Scalar: LibTorch's
// type of the dtype; T: the device's.
template <typename Scalar, typename T = Scalar>
struct RmsNormArgs {
  RmsNormArgs(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out)
      : x(reinterpret_cast<const T*>(x.const_data_ptr<Scalar>())),
        weight(reinterpret_cast<const T*>(weight.const_data_ptr<Scalar>())),
        out(reinterpret_cast<T*>(out.mutable_data_ptr<Scalar>())),
        x_stride(x.stride(0)),
        out_stride(out.stride(0)),
        hidden(x.size(1)),
        eps(eps) {}

  const T* x;
  const T* weight;
  T* out;
  int64_t x_stride;
  int64_t out_stride;
  int64_t hidden;
  float eps;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_RMS_NORM_ARGS_H_
