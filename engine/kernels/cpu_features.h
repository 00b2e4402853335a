#ifndef WINDOWKV_ENGINE_KERNELS_CPU_FEATURES_H_
#define WINDOWKV_ENGINE_KERNELS_CPU_FEATURES_H_

namespace windowkv {

enum class Isa { kBaseline, kAvx2, kAvx512, kAvx512Bf16 };

// The best instruction set of this processor.
Isa BestIsa();

// True where bfloat16 matrix products run at full speed (AMX or AVX512-BF16).
bool HasFastBfloat16();

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CPU_FEATURES_H_
