#ifndef WINDOWKV_ENGINE_KERNELS_ROPE_ARGS_H_
#define WINDOWKV_ENGINE_KERNELS_ROPE_ARGS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/kernels/rope.h"

namespace windowkv {

// What RopeAndStore is asked, as the twins' kernels take it. Scalar: LibTorch's
// type of the dtype; T: the device's.
template <typename Scalar, typename T = Scalar>
struct RopeArgs {
  RopeArgs(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
           int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
           const KvDestination& destination)
      : qkv(reinterpret_cast<const T*>(qkv.const_data_ptr<Scalar>())),
        q_out(reinterpret_cast<T*>(q_out.mutable_data_ptr<Scalar>())),
        q_out_stride(q_out.stride(0)),
        cos_sin(cos_sin.const_data_ptr<float>()),
        positions(positions),
        destination(destination),
        num_heads(num_heads),
        num_kv_heads(num_kv_heads),
        head_dim(cos_sin.size(1)) {}

  const T* qkv;
  T* q_out;
  int64_t q_out_stride;
  const float* cos_sin;
  const int32_t* positions;
  KvDestination destination;
  int64_t num_heads;
  int64_t num_kv_heads;
  int64_t head_dim;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ROPE_ARGS_H_
