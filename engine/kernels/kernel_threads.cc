#include "engine/kernels/kernel_threads.h"

#include <ATen/Parallel.h>
#include <omp.h>

namespace windowkv {

int KernelThreads() { return at::get_num_threads(); }

void ReleaseKernelThreads() { omp_pause_resource_all(omp_pause_soft); }

}  // namespace windowkv
