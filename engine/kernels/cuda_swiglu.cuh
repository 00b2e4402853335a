#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_SWIGLU_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_SWIGLU_CUH_

namespace windowkv {

// silu(gate) * up
__device__ inline float Gated(float gate, float up) { return gate / (1 + __expf(-gate)) * up; }

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_SWIGLU_CUH_
