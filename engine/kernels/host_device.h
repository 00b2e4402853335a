#ifndef WINDOWKV_ENGINE_KERNELS_HOST_DEVICE_H_
#define WINDOWKV_ENGINE_KERNELS_HOST_DEVICE_H_

// Marks what both a CPU kernel and its CUDA twin call.
#ifdef __CUDACC__
#define WINDOWKV_HOST_DEVICE __host__ __device__
#else
#define WINDOWKV_HOST_DEVICE
#endif

#endif  // WINDOWKV_ENGINE_KERNELS_HOST_DEVICE_H_
