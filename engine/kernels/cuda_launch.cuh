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

// The same as CUDA takes it, for a kernel whose blocks may take their places while the one before
// it in the stream still runs.
class LaunchConfig {
 public:
  explicit LaunchConfig(const LaunchShape& shape) {
    attributes_[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes_[0].val.programmaticStreamSerializationAllowed = 1;
    attributes_[1].id = cudaLaunchAttributeClusterDimension;
    attributes_[1].val.clusterDim = {1, 1, shape.cluster};
    config_.gridDim = shape.grid;
    config_.blockDim = dim3(shape.threads);
    config_.stream = c10::cuda::getCurrentCUDAStream().stream();
    config_.attrs = attributes_;
    config_.numAttrs = shape.cluster > 1 ? 2 : 1;
  }
  LaunchConfig(const LaunchConfig&) = delete;
  LaunchConfig& operator=(const LaunchConfig&) = delete;

  const cudaLaunchConfig_t* get() const { return &config_; }

 private:
  cudaLaunchAttribute attributes_[2];
  cudaLaunchConfig_t config_ = {};
};

// Starts a kernel of a decode step, whose kernels run for microseconds each: its blocks may take
// their places while the kernel before it in the stream still runs (programmatic dependent launch).
// The kernel calls WaitForInputs before it touches what other kernels write or read.
template <typename... Parameters, typename... Arguments>
void LaunchEarly(void (*kernel)(Parameters...), const LaunchShape& shape,
                 const Arguments&... arguments) {
  constexpr unsigned kPortableCluster = 8;
  if (shape.cluster > kPortableCluster) {
    C10_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  C10_CUDA_CHECK(cudaLaunchKernelEx(LaunchConfig(shape).get(), kernel, arguments...));
}

// How many clusters of a shape the current device runs at once: fewer than its multiprocessors
// would make, since a cluster lies within one of the groups that they form.
template <typename... Parameters>
int ClustersAtOnce(void (*kernel)(Parameters...), const LaunchShape& shape) {
  int clusters = 0;
  C10_CUDA_CHECK(cudaOccupancyMaxActiveClusters(&clusters, kernel, LaunchConfig(shape).get()));
  return clusters;
}

// Lets the blocks of the next kernel start, then waits until all before this one has ended.
__device__ inline void WaitForInputs() {
  cudaTriggerProgrammaticLaunchCompletion();
  cudaGridDependencySynchronize();
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_LAUNCH_CUH_
