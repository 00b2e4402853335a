#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_DEVICE_H_
#define WINDOWKV_ENGINE_KERNELS_CUDA_DEVICE_H_

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace windowkv {

// The CUDA devices of this machine: none in a build without CUDA, where all else throws, as it does
// for what LibTorch throws. Thread-safe.
int CudaDeviceCount();

std::string CudaDeviceName(at::Device device);

// What the calling thread starts from now on runs on `device`, on a stream of its own. Products of
// bfloat16, the whole process's, add up in float32.
void UseCudaDevice(at::Device device);

// Waits for what the calling thread has started. Throws what a kernel has failed with.
void SynchronizeCuda();

// Of the calling thread's device.
int CudaMultiprocessors();

struct CudaMemory {
  int64_t free_bytes = 0;
  int64_t total_bytes = 0;
  // Of this process's tensors: now, and at most since ResetCudaPeak.
  int64_t allocated_bytes = 0;
  int64_t peak_bytes = 0;
};
CudaMemory CudaDeviceMemory(at::Device device);
// Held by LibTorch for this process: tensors, and what it keeps for later ones; not the CUDA
// context and the libraries' own. Asks no driver.
int64_t CudaHeldBytes(at::Device device);
void ResetCudaPeak(at::Device device);

// Gives back what LibTorch keeps for later tensors.
void ReleaseUnusedCudaMemory();

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_DEVICE_H_
