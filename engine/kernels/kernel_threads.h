#ifndef WINDOWKV_ENGINE_KERNELS_KERNEL_THREADS_H_
#define WINDOWKV_ENGINE_KERNELS_KERNEL_THREADS_H_

namespace windowkv {

// Threads that parallel regions started by the calling thread use, LibTorch's and the kernels'.
int KernelThreads();

// Ends the idle worker threads of the calling thread's regions. A thread that is done with regions
// should: OpenMP counts workers, and while it counts more of them than processors, all of them
// sleep between regions, and waking one takes longer than a small region.
void ReleaseKernelThreads();

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_KERNEL_THREADS_H_
