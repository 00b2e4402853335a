#include <algorithm>

#include "engine/kernels/cuda_launch.cuh"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/rope.h"
#include "engine/kernels/rope_args.h"

namespace windowkv {
namespace {

// kSize neighbouring pairs of a head; x and out may be the same.
template <typename T, int kSize>
__device__ void RotatePairs(const T* x, const float* cos_sin, int64_t half, int64_t i, T* out) {
  using P = Part<T, kSize>;
  P low = LoadPart<T, kSize>(x + i);
  P high = LoadPart<T, kSize>(x + half + i);
#pragma unroll
  for (int j = 0; j < kSize; ++j) {
    const float a = ToFloat(low.values[j]);
    const float b = ToFloat(high.values[j]);
    const float cos = cos_sin[i + j];
    const float sin = cos_sin[half + i + j];
    low.values[j] = FromFloat<T>(a * cos - b * sin);
    high.values[j] = FromFloat<T>(b * cos + a * sin);
  }
  StorePart(out + i, low);
  StorePart(out + half + i, high);
}

// A block for each row, a thread for kSize pairs of elements of a head.
template <typename Scalar, typename T, int kSize>
__global__ void Kernel(RopeArgs<Scalar, T> a) {
  const int64_t row = blockIdx.x;
  const int64_t half = a.head_dim / 2;
  const int64_t parts = half / kSize;
  const int64_t heads = a.num_heads + 2 * a.num_kv_heads;
  const T* qkv = a.qkv + row * heads * a.head_dim;
  const float* cos_sin = a.cos_sin + a.positions[row] * a.head_dim;
  const int64_t offset = a.num_kv_heads > 0 ? a.destination.Offset(row) : -1;
  WaitForInputs();  // positions and tables are a step's inputs, which no kernel writes
  for (int64_t i = threadIdx.x; i < heads * parts; i += blockDim.x) {
    const int64_t head = i / parts;
    const int64_t pair = i % parts * kSize;
    const T* x = qkv + head * a.head_dim;
    if (head < a.num_heads) {
      T* out = a.q_out + row * a.q_out_stride + head * a.head_dim;
      RotatePairs<T, kSize>(x, cos_sin, half, pair, out);
      continue;
    }
    if (offset < 0) continue;
    const int64_t kv_head = (head - a.num_heads) % a.num_kv_heads;
    const int64_t place = offset + kv_head * a.destination.head_stride;
    if (head < a.num_heads + a.num_kv_heads) {
      T* key = static_cast<T*>(a.destination.keys) + place;
      RotatePairs<T, kSize>(x, cos_sin, half, pair, key);
    } else {
      T* value = static_cast<T*>(a.destination.values) + place;
      StorePart(value + pair, LoadPart<T, kSize>(x + pair));
      StorePart(value + half + pair, LoadPart<T, kSize>(x + half + pair));
    }
  }
}

}  // namespace

void RopeAndStoreCuda(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
                      int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
                      const KvDestination& destination) {
  if (qkv.size(0) == 0) return;
  DispatchDtype(qkv.scalar_type(), [&](auto type) {
    using T = typename DeviceTypeOf<decltype(type)>::type;
    const RopeArgs<decltype(type), T> args(qkv, cos_sin, positions, num_heads, num_kv_heads, q_out,
                                           destination);
    constexpr int kSize = Pack<T>::kSize;
    const KvDestination& to = args.destination;
    const bool packed = args.head_dim / 2 % kSize == 0 && IsPackAligned(args.qkv) &&
                        IsPackAligned(args.q_out, args.q_out_stride) &&
                        IsPackAligned(static_cast<T*>(to.keys), to.row_stride) &&
                        IsPackAligned(static_cast<T*>(to.values), to.row_stride);
    const int64_t parts = (num_heads + 2 * num_kv_heads) * args.head_dim / 2 / (packed ? kSize : 1);
    const auto threads =
        static_cast<unsigned>(std::clamp<int64_t>((parts + kWarp - 1) / kWarp, 1, 16) * kWarp);
    const auto kernel = packed ? &Kernel<decltype(type), T, kSize> : &Kernel<decltype(type), T, 1>;
    LaunchEarly(kernel, {dim3(static_cast<unsigned>(qkv.size(0))), threads}, args);
  });
}

}  // namespace windowkv
