#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_VALUES_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_VALUES_CUH_

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/BFloat16.h>
#include <cuda_bf16.h>

#include <cstdint>

// Values as CUDA kernels read and write them: sixteen bytes at a time, arithmetic in float32.
namespace windowkv {

constexpr int kWarp = 32;
constexpr int64_t kPackBytes = 16;

template <typename T>
struct DeviceTypeOf {
  using type = T;
};
template <>
struct DeviceTypeOf<c10::BFloat16> {
  using type = __nv_bfloat16;
};

__device__ inline float ToFloat(float x) { return x; }
__device__ inline float ToFloat(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename T>
__device__ inline T FromFloat(float x);
template <>
__device__ inline float FromFloat<float>(float x) {
  return x;
}
template <>
__device__ inline __nv_bfloat16 FromFloat<__nv_bfloat16>(float x) {
  return __float2bfloat16(x);
}

// Neighbouring values, a power of two of them, read and written at once.
template <typename T, int kCount>
struct alignas(kCount * sizeof(T)) Part {
  static constexpr int kSize = kCount;
  T values[kCount];
};
template <typename T, int kCount>
__device__ inline Part<T, kCount> LoadPart(const T* p) {
  return *reinterpret_cast<const Part<T, kCount>*>(p);
}
template <typename T, int kCount>
__device__ inline void StorePart(T* p, const Part<T, kCount>& part) {
  *reinterpret_cast<Part<T, kCount>*>(p) = part;
}

// Sixteen bytes of them.
template <typename T>
using Pack = Part<T, kPackBytes / sizeof(T)>;

template <typename T>
__device__ inline Pack<T> LoadPack(const T* p) {
  return LoadPart<T, Pack<T>::kSize>(p);
}

// What is read once: it does not displace in the first cache what is read again.
template <typename T>
__device__ inline Pack<T> LoadPackOnce(const T* p) {
  Pack<T> pack;
  uint4& bits = *reinterpret_cast<uint4*>(&pack);
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(bits.x), "=r"(bits.y), "=r"(bits.z), "=r"(bits.w)
               : "l"(p));
  return pack;
}

__device__ inline float WarpSum(float x) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffU, x, step);
  return x;
}

template <typename T>
bool IsPackAligned(const T* p, int64_t stride_elements = 0) {
  return reinterpret_cast<uintptr_t>(p) % kPackBytes == 0 &&
         stride_elements * static_cast<int64_t>(sizeof(T)) % kPackBytes == 0;
}

// A tensor's elements as the device's type.
template <typename T>
const typename DeviceTypeOf<T>::type* DeviceData(const at::Tensor& tensor) {
  return reinterpret_cast<const typename DeviceTypeOf<T>::type*>(tensor.const_data_ptr());
}
template <typename T>
typename DeviceTypeOf<T>::type* MutableDeviceData(at::Tensor& tensor) {
  return reinterpret_cast<typename DeviceTypeOf<T>::type*>(tensor.mutable_data_ptr());
}

inline cudaStream_t CurrentStream() { return c10::cuda::getCurrentCUDAStream().stream(); }

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_VALUES_CUH_
