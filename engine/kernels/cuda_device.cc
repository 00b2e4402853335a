#include "engine/kernels/cuda_device.h"

#include <ATen/Context.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

namespace windowkv {

int CudaDeviceCount() { return c10::cuda::device_count(); }

std::string CudaDeviceName(at::Device device) {
  cudaDeviceProp properties;
  C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, device.index()));
  return properties.name;
}

void UseCudaDevice(at::Device device) {
  c10::cuda::set_device(device.index());
  // Else a product's partial sums may be rounded to bfloat16.
  at::globalContext().setAllowBF16ReductionCuBLAS(/*allow_reduced_precision=*/false);
  // Graphs can not be captured on the default stream.
  c10::cuda::setCurrentCUDAStream(
      c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index()));
}

void SynchronizeCuda() { c10::cuda::getCurrentCUDAStream().synchronize(); }

int CudaMultiprocessors() {
  static const int count = [] {
    int value = 0;
    C10_CUDA_CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount,
                                          c10::cuda::current_device()));
    return value;
  }();
  return count;
}

CudaMemory CudaDeviceMemory(at::Device device) {
  at::globalContext().lazyInitDevice(at::kCUDA);  // else the allocator may know no device yet
  const c10::cuda::CUDAGuard guard(device);
  size_t free = 0;
  size_t total = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  const auto allocated = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index())
                             .allocated_bytes[0];  // of small and large pieces together
  return {static_cast<int64_t>(free), static_cast<int64_t>(total), allocated.current,
          allocated.peak};
}

int64_t CudaHeldBytes(at::Device device) {
  return c10::cuda::CUDACachingAllocator::getDeviceStats(device.index()).reserved_bytes[0].current;
}

void ReleaseUnusedCudaMemory() { c10::cuda::CUDACachingAllocator::emptyCache(); }

void ResetCudaPeak(at::Device device) {
  c10::cuda::CUDACachingAllocator::resetPeakStats(device.index());
}

}  // namespace windowkv
