#ifndef WINDOWKV_ENGINE_KERNELS_ISA_H_
#define WINDOWKV_ENGINE_KERNELS_ISA_H_

#include <algorithm>
#include <cstdint>

#include "engine/kernels/cpu_features.h"
#include "engine/kernels/kernel_threads.h"

// One CPU kernel body compiled for several instruction sets, the best one chosen when first called.
//
// A kernel is a struct with `static void Run(const Args&, int64_t begin, int64_t end)`, marked
// WINDOWKV_KERNEL_INLINE, that handles items [begin, end). The wrappers below carry the target
// attribute and inline the body, so no file is compiled with flags that the machine may not have.

#define WINDOWKV_KERNEL_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__)
#define WINDOWKV_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define WINDOWKV_TARGET_AVX512 \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#define WINDOWKV_TARGET_AVX512_BF16 \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#else
#define WINDOWKV_TARGET_AVX2
#define WINDOWKV_TARGET_AVX512
#define WINDOWKV_TARGET_AVX512_BF16
#endif

namespace windowkv {

template <typename Body, typename Args>
void RunBaseline(const Args& args, int64_t begin, int64_t end) {
  Body::Run(args, begin, end);
}
template <typename Body, typename Args>
WINDOWKV_TARGET_AVX2 void RunAvx2(const Args& args, int64_t begin, int64_t end) {
  Body::Run(args, begin, end);
}
template <typename Body, typename Args>
WINDOWKV_TARGET_AVX512 void RunAvx512(const Args& args, int64_t begin, int64_t end) {
  Body::Run(args, begin, end);
}

template <typename Args>
using RangeFunction = void (*)(const Args&, int64_t, int64_t);

template <typename Body, typename Args>
RangeFunction<Args> SelectVariant() {
  switch (BestIsa()) {
    case Isa::kBaseline:
      return &RunBaseline<Body, Args>;
    case Isa::kAvx2:
      return &RunAvx2<Body, Args>;
    case Isa::kAvx512:
    case Isa::kAvx512Bf16:
      return &RunAvx512<Body, Args>;
  }
  return &RunBaseline<Body, Args>;
}

// Calls `fn` over [0, n) in at most KernelThreads() contiguous parts of at least `grain` items.
template <typename Args>
void ParallelRange(RangeFunction<Args> fn, const Args& args, int64_t n, int64_t grain) {
  const int64_t parts = std::min<int64_t>(KernelThreads(), (n + grain - 1) / grain);
  if (parts <= 1) {
    fn(args, 0, n);
    return;
  }
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(parts))
  for (int64_t part = 0; part < parts; ++part) {
    fn(args, n * part / parts, n * (part + 1) / parts);
  }
}

template <typename Body, typename Args>
void ParallelKernel(const Args& args, int64_t n, int64_t grain) {
  static const RangeFunction<Args> fn = SelectVariant<Body, Args>();
  ParallelRange(fn, args, n, grain);
}

// Calls `fn` for each of [0, n) alone, in whatever order threads become free: for items of unequal
// work.
template <typename Args>
void ParallelItems(RangeFunction<Args> fn, const Args& args, int64_t n) {
  const int64_t threads = std::min<int64_t>(KernelThreads(), n);
  if (threads <= 1) {
    fn(args, 0, n);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast <int>(threads))
  for (int64_t item = 0; item < n; ++item) fn(args, item, item + 1);
}

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ISA_H_
