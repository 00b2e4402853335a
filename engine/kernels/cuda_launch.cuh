#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

namespace windowkv {

// What a kernel is started with.
struct LaunchShape {
  dim3 grid;
  unsigned threads = 0;  // of a block
  // Blocks of neighbouring blockIdx.z that run together and read one another's shared memory.
  unsigned cluster = 1;
};

// Starts a kernel of a decode step, whose kernels run for microseconds each: its blocks may take
// their places while the kernel before it in the stream still runs (programmatic dependent launch).
// The kernel calls WaitForInputs before it touches what other kernels write or read.
template <typename... Parameters, typename... Arguments>
void LaunchEarly(void (*kernel)(Parameters...), const LaunchShape& shape,
                 const Arguments&... arguments) {
  cudaLaunchAttribute attributes[2];
  attributes[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[0].val.programmaticStreamSerializationAllowed = 1;
  attributes[1].id = cudaLaunchAttributeClusterDimension;
  attributes[1].val.clusterDim = {1, 1, shape.cluster};
  constexpr unsigned kPortableCluster = 8;
  if (shape.cluster > kPortableCluster) {
    C10_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = shape.grid;
  config.blockDim = dim3(shape.threads);
  config.stream = c10::cuda::getCurrentCUDAStream().stream();
  config.attrs = attributes;
  config.numAttrs = shape.cluster > 1 ? 2 : 1;
  C10_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, arguments...));
}

// Lets the blocks of the next kernel start, then waits until all before this one has ended.
__device__ inline void WaitForInputs() {
  cudaTriggerProgrammaticLaunchCompletion();
  cudaGridDependencySynchronize();
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_
