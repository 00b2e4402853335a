#include <algorithm>

#include "engine/kernels/cuda_swiglu.cuh"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/swiglu.h"

namespace windowkv {
namespace {

constexpr int kThreads = 256;

// A thread for `kSize` neighbouring elements of a row.
template <typename T, int kSize>
__global__ void __launch_bounds__(kThreads)
    Kernel(const T* gate_up, T* out, int64_t rows, int64_t width) {
  const int64_t parts = width / kSize;
  const int64_t all = rows * parts;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < all;
       i += int64_t{gridDim.x} * kThreads) {
    const int64_t row = i / parts;
    const int64_t column = i % parts * kSize;
    const T* source = gate_up + row * 2 * width + column;
    Part<T, kSize> gate = LoadPart<T, kSize>(source);
    const Part<T, kSize> up = LoadPart<T, kSize>(source + width);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      gate.values[j] = FromFloat<T>(Gated(ToFloat(gate.values[j]), ToFloat(up.values[j])));
    }
    StorePart(out + row * width + column, gate);
  }
}

}  // namespace

void SwiGluCuda(const at::Tensor& gate_up, at::Tensor& out) {
  if (out.numel() == 0) return;
  DispatchDtype(gate_up.scalar_type(), [&](auto type) {
    using T = typename DeviceTypeOf<decltype(type)>::type;
    constexpr int kSize = Pack<T>::kSize;
    const T* source = DeviceData<decltype(type)>(gate_up);
    T* target = MutableDeviceData<decltype(type)>(out);
    const int64_t width = out.size(1);
    const bool packed = width % kSize == 0 && IsPackAligned(source) && IsPackAligned(target);
    const int64_t threads = out.numel() / (packed ? kSize : 1);
    const auto blocks =
        static_cast<unsigned>(std::min<int64_t>((threads + kThreads - 1) / kThreads, 1 << 20));
    const auto kernel = packed ? &Kernel<T, kSize> : &Kernel<T, 1>;
    kernel<<<blocks, kThreads, 0, CurrentStream()>>>(source, target, out.size(0), width);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
}

}  // namespace windowkv
