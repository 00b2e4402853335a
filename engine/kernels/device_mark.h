#ifndef WINDOWKV_ENGINE_KERNELS_DEVICE_MARK_H_
#define WINDOWKV_ENGINE_KERNELS_DEVICE_MARK_H_

#include <c10/core/Device.h>
#include <c10/core/Event.h>

namespace windowkv {

// Marks the place behind what the calling thread has started on `device`, which is no CPU, so far.
// It can be waited for, and two of them know the time between them. Throws what LibTorch throws.
c10::Event MarkDevice(at::Device device);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_DEVICE_MARK_H_
