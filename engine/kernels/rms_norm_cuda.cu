#include "engine/kernels/cuda_launch.cuh"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rms_norm_args.h"

namespace windowkv {
namespace {

constexpr int kThreads = 256;

__device__ float BlockSum(float x) {
  __shared__ float sums[kThreads / kWarp];
  x = WarpSum(x);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = x;
  __syncthreads();
  float total = 0;
  for (int i = 0; i < kThreads / kWarp; ++i) total += sums[i];
  return total;
}

// A block for each row, a thread for kSize neighbouring elements at a time.
template <typename Scalar, typename T, int kSize>
__global__ void __launch_bounds__(kThreads) Kernel(RmsNormArgs<Scalar, T> a) {
  using P = Part<T, kSize>;
  WaitForInputs();
  const T* x = a.x + blockIdx.x * a.x_stride;
  T* out = a.out + blockIdx.x * a.out_stride;
  float squares = 0;
  for (int64_t i = threadIdx.x * kSize; i < a.hidden; i += kThreads * kSize) {
    const P part = LoadPart<T, kSize>(x + i);
#pragma unroll
    for (int j = 0; j < kSize; ++j) squares += ToFloat(part.values[j]) * ToFloat(part.values[j]);
  }
  const float scale = rsqrtf(BlockSum(squares) / static_cast<float>(a.hidden) + a.eps);
  for (int64_t i = threadIdx.x * kSize; i < a.hidden; i += kThreads * kSize) {
    P part = LoadPart<T, kSize>(x + i);
    const P weight = LoadPart<T, kSize>(a.weight + i);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      part.values[j] = FromFloat<T>(ToFloat(part.values[j]) * scale * ToFloat(weight.values[j]));
    }
    StorePart(out + i, part);
  }
}

}  // namespace

void RmsNormCuda(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out) {
  if (x.size(0) == 0) return;
  DispatchDtype(x.scalar_type(), [&](auto type) {
    using T = typename DeviceTypeOf<decltype(type)>::type;
    const RmsNormArgs<decltype(type), T> args(x, weight, eps, out);
    const bool packed = args.hidden % Pack<T>::kSize == 0 && IsPackAligned(args.weight) &&
                        IsPackAligned(args.x, args.x_stride) &&
                        IsPackAligned(args.out, args.out_stride);
    const auto kernel =
        packed ? &Kernel<decltype(type), T, Pack<T>::kSize> : &Kernel<decltype(type), T, 1>;
    LaunchEarly(kernel, {dim3(static_cast<unsigned>(x.size(0))), kThreads}, args);
  });
}

}  // namespace windowkv
