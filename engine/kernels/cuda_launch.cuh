#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

namespace windowkv {

// Starts a kernel of a decode step, whose kernels run for microseconds each: its blocks may take
// their places while the kernel before it in the stream still runs (programmatic dependent launch).
// The kernel calls WaitForInputs before it touches what other kernels write or read.
template <typename... Parameters, typename... Arguments>
void LaunchEarly(void (*kernel)(Parameters...), dim3 grid, unsigned threads, size_t shared_bytes,
                 const Arguments&... arguments) {
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = c10::cuda::getCurrentCUDAStream().stream();
  config.attrs = &attribute;
  config.numAttrs = 1;
  C10_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, arguments...));
}

// Lets the blocks of the next kernel start, then waits until all before this one has ended.
__device__ inline void WaitForInputs() {
  cudaTriggerProgrammaticLaunchCompletion();
  cudaGridDependencySynchronize();
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_
