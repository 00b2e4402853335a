#include "engine/kernels/host_copy.h"

#include <ATen/ops/empty.h>

#include "engine/kernels/device_mark.h"

namespace windowkv {

HostCopy::HostCopy(const at::Tensor& source)
    : host_(at::empty(source.sizes(),
                      at::TensorOptions(source.scalar_type()).pinned_memory(!source.is_cpu()))) {
  // The allocator of pinned memory knows of the copy and gives the memory to nobody before its end.
  host_.copy_(source, /*non_blocking=*/true);
  if (!source.is_cpu()) arrived_ = MarkDevice(source.device());
}

const at::Tensor& HostCopy::Wait() const {
  if (arrived_) arrived_->synchronize();
  return host_;
}

}  // namespace windowkv
