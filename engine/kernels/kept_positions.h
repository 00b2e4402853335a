#ifndef WINDOWKV_ENGINE_KERNELS_KEPT_POSITIONS_H_
#define WINDOWKV_ENGINE_KERNELS_KEPT_POSITIONS_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// The prompt tokens that a layer keeps, on the device that chose them. A value.
struct KeptPositions {
  // [rows, capacity] int32, ascending in a row, which is one KV head's, or the only one and all
  // heads'. What comes after the first `count` is not set.
  at::Tensor positions;
  at::Tensor count;  // [1] int32, the same for every row
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_KEPT_POSITIONS_H_
