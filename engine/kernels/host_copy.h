#ifndef WINDOWKV_ENGINE_KERNELS_HOST_COPY_H_
#define WINDOWKV_ENGINE_KERNELS_HOST_COPY_H_

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <optional>

namespace windowkv {

// A tensor on its way to the host, behind what the calling thread has started on the device so far:
// what it starts later is not waited for. May be given up at any time. Throws what LibTorch throws.
class HostCopy {
 public:
  // The source may change afterwards, by work that the same thread starts.
  explicit HostCopy(const at::Tensor& source);

  // Waits until it is there.
  const at::Tensor& Wait() const;

 private:
  at::Tensor host_;
  std::optional<c10::Event> arrived_;  // unless the source was on the host
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_HOST_COPY_H_
