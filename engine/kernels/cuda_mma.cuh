#ifndef WINDOWKV_ENGINE_KERNELS_CUDA_MMA_CUH_
#define WINDOWKV_ENGINE_KERNELS_CUDA_MMA_CUH_

#include <cstdint>

namespace windowkv {

// c += a * b for a 16x16 tile of bfloat16, row by row, and a 16x8 one, column by column. Of lane l,
// with g = l / 4 and t = l % 4:
//   a: (row g, columns 2t and 2t + 1), (g + 8, same), (g, 2t + 8 and on), (g + 8, 2t + 8 and on)
//   b: (rows 2t and 2t + 1, column g), (rows 2t + 8 and on, column g)
//   c: (row g, columns 2t and 2t + 1), (row g + 8, same)
__device__ inline void MultiplyAdd(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                   uint32_t a3, uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_CUDA_MMA_CUH_
