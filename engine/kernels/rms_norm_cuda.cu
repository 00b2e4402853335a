#include "engine/kernels/cuda_launch.cuh"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/rms_norm.h"

namespace windowkv {
namespace {

constexpr int kThreads = 256;

template <typename T>
struct Args {
  const T* x;
  const T* weight;
  T* out;
  int64_t x_stride;
  int64_t out_stride;
  int64_t hidden;
  float eps;
};

__device__ float BlockSum(float x) {
  __shared__ float sums[kThreads / kWarp];
  x = WarpSum(x);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = x;
  __syncthreads();
  float total = 0;
  for (int i = 0; i < kThreads / kWarp; ++i) total += sums[i];
  return total;
}

// A block for each row.
template <typename T>
__global__ void __launch_bounds__(kThreads) PackedKernel(Args<T> a) {
  using P = Pack<T>;
  WaitForInputs();
  const T* x = a.x + blockIdx.x * a.x_stride;
  T* out = a.out + blockIdx.x * a.out_stride;
  float squares = 0;
  for (int64_t i = threadIdx.x * P::kSize; i < a.hidden; i += kThreads * P::kSize) {
    const P pack = LoadPack(x + i);
#pragma unroll
    for (int j = 0; j < P::kSize; ++j) squares += ToFloat(pack.values[j]) * ToFloat(pack.values[j]);
  }
  const float scale = rsqrtf(BlockSum(squares) / static_cast<float>(a.hidden) + a.eps);
  for (int64_t i = threadIdx.x * P::kSize; i < a.hidden; i += kThreads * P::kSize) {
    P pack = LoadPack(x + i);
    const P weight = LoadPack(a.weight + i);
#pragma unroll
    for (int j = 0; j < P::kSize; ++j) {
      pack.values[j] = FromFloat<T>(ToFloat(pack.values[j]) * scale * ToFloat(weight.values[j]));
    }
    StorePack(out + i, pack);
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) Kernel(Args<T> a) {
  WaitForInputs();
  const T* x = a.x + blockIdx.x * a.x_stride;
  T* out = a.out + blockIdx.x * a.out_stride;
  float squares = 0;
  for (int64_t i = threadIdx.x; i < a.hidden; i += kThreads)
    squares += ToFloat(x[i]) * ToFloat(x[i]);
  const float scale = rsqrtf(BlockSum(squares) / static_cast<float>(a.hidden) + a.eps);
  for (int64_t i = threadIdx.x; i < a.hidden; i += kThreads) {
    out[i] = FromFloat<T>(ToFloat(x[i]) * scale * ToFloat(a.weight[i]));
  }
}

}  // namespace

void RmsNormCuda(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out) {
  if (x.size(0) == 0) return;
  DispatchDtype(x.scalar_type(), [&](auto type) {
    using T = typename DeviceTypeOf<decltype(type)>::type;
    const Args<T> args{DeviceData<decltype(type)>(x),
                       DeviceData<decltype(type)>(weight),
                       MutableDeviceData<decltype(type)>(out),
                       x.stride(0),
                       out.stride(0),
                       x.size(1),
                       eps};
    const bool packed = args.hidden % Pack<T>::kSize == 0 && IsPackAligned(args.weight) &&
                        IsPackAligned(args.x, args.x_stride) &&
                        IsPackAligned(args.out, args.out_stride);
    const auto kernel = packed ? &PackedKernel<T> : &Kernel<T>;
    LaunchEarly(kernel, dim3(static_cast<unsigned>(x.size(0))), kThreads, 0, args);
  });
}

}  // namespace windowkv
