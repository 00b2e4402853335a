#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

namespace windowkv {

// Blocks of neighbouring blockIdx.z that run together and read one another's shared memory; 1:
// none.
struct Cluster {
  unsigned blocks = 1;
};

// Starts a kernel of a decode step, whose kernels run for microseconds each: its blocks may take
// their places while the kernel before it in the stream still runs (programmatic dependent launch).
// The kernel calls WaitForInputs before it touches what other kernels write or read.
template <typename... Parameters, typename... Arguments>
void LaunchEarly(void (*kernel)(Parameters...), dim3 grid, unsigned threads, Cluster cluster,
                 const Arguments&... arguments) {
  cudaLaunchAttribute attributes[2];
  attributes[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[0].val.programmaticStreamSerializationAllowed = 1;
  attributes[1].id = cudaLaunchAttributeClusterDimension;
  attributes[1].val.clusterDim = {1, 1, cluster.blocks};
  constexpr unsigned kPortableCluster = 8;
  if (cluster.blocks > kPortableCluster) {
    C10_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.stream = c10::cuda::getCurrentCUDAStream().stream();
  config.attrs = attributes;
  config.numAttrs = cluster.blocks > 1 ? 2 : 1;
  C10_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, arguments...));
}

// Lets the blocks of the next kernel start, then waits until all before this one has ended.
__device__ inline void WaitForInputs() {
  cudaTriggerProgrammaticLaunchCompletion();
  cudaGridDependencySynchronize();
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_
