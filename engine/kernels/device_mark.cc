#include "engine/kernels/device_mark.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace windowkv {

c10::Event MarkDevice(at::Device device) {
  c10::Event mark(device.type(), c10::EventFlag::BACKEND_DEFAULT);  // keeps its time
  mark.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  return mark;
}

}  // namespace windowkv
