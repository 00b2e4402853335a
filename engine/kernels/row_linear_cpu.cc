#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "engine/kernels/amx_products.h"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/row_linear.h"
#include "engine/kernels/vec.h"

// Sixteen output features at a time: their weights are read from memory once and stay in the
// nearest cache for all rows, their sixteen accumulators fill half the AVX-512 registers, and one
// transposing sum turns them into a vector of outputs. Rows never meet, so a row's result is its
// own.

namespace windowkv {
namespace {

template <typename T, typename Out>
struct Args {
  const T* x;
  const T* weight;
  const T* bias;  // may be null
  Out* out;
  int64_t rows;
  int64_t in;
  int64_t out_features;
  bool accumulate;
  const uint32_t* packed = nullptr;  // x for RunAmx
};

// What is added to the products, and where the sum goes.
template <typename T, typename Out>
WINDOWKV_KERNEL_INLINE void Finish(const Args<T, Out>& a, int64_t row, int64_t o, Vec sums) {
  if (a.bias != nullptr) sums += Load(a.bias + o);
  Out* out = a.out + row * a.out_features + o;
  if (a.accumulate) sums += Load(out);
  Store(out, sums);
}

template <typename T, typename Out>
WINDOWKV_KERNEL_INLINE void Finish(const Args<T, Out>& a, int64_t row, int64_t o, float sum) {
  if (a.bias != nullptr) sum += float(a.bias[o]);
  Out& out = a.out[row * a.out_features + o];
  if (a.accumulate) sum += float(out);
  out = static_cast<Out>(sum);
}

template <typename T>
WINDOWKV_KERNEL_INLINE float TailProducts(const T* x, const T* w, int64_t begin, int64_t end) {
  float sum = 0;
  for (int64_t k = begin; k < end; ++k) sum += float(x[k]) * float(w[k]);
  return sum;
}

template <typename T, typename Out>
WINDOWKV_KERNEL_INLINE void SixteenOutputs(const Args<T, Out>& a, int64_t row, int64_t o) {
  const T* x = a.x + row * a.in;
  const T* w = a.weight + o * a.in;
  const int64_t whole = a.in / kLanes * kLanes;
  Vec acc[kLanes] = {};
  for (int64_t k = 0; k < whole; k += kLanes) {
    const Vec value = Load(x + k);
    for (int64_t j = 0; j < kLanes; ++j) acc[j] += value * Load(w + j * a.in + k);
  }
  Vec sums = SumEach(acc);
  if (whole < a.in) {
    for (int64_t j = 0; j < kLanes; ++j) sums[j] += TailProducts(x, w + j * a.in, whole, a.in);
  }
  Finish(a, row, o, sums);
}

template <typename T, typename Out>
WINDOWKV_KERNEL_INLINE void OneOutput(const Args<T, Out>& a, int64_t row, int64_t o) {
  const T* x = a.x + row * a.in;
  const T* w = a.weight + o * a.in;
  const int64_t whole = a.in / kLanes * kLanes;
  Vec acc = {};
  for (int64_t k = 0; k < whole; k += kLanes) acc += Load(x + k) * Load(w + k);
  Finish(a, row, o, Sum(acc) + TailProducts(x, w, whole, a.in));
}

// Items are groups of sixteen output features; the last may be short.
template <typename T, typename Out>
struct Body {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T, Out>& a, int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      const int64_t o = group * kLanes;
      for (int64_t row = 0; row < a.rows; ++row) {
        if (o + kLanes <= a.out_features) {
          SixteenOutputs(a, row, o);
        } else {
          for (int64_t i = o; i < a.out_features; ++i) OneOutput(a, row, i);
        }
      }
    }
  }
};

#if defined(__x86_64__)

// SixteenOutputs with the bfloat16 dot product instruction: 32 products where the other has 16.
template <typename Out>
__attribute__((always_inline)) WINDOWKV_TARGET_AVX512_BF16 inline void SixteenOutputsBf16(
    const Args<c10::BFloat16, Out>& a, int64_t row, int64_t o) {
  constexpr int64_t kStep = 32;
  const c10::BFloat16* x = a.x + row * a.in;
  const c10::BFloat16* w = a.weight + o * a.in;
  __m512 acc[kLanes];
  for (int64_t j = 0; j < kLanes; ++j) acc[j] = _mm512_setzero_ps();
  const int64_t whole = a.in / kStep * kStep;
  for (int64_t k = 0; k < whole; k += kStep) {
    const __m512bh value = (__m512bh)_mm512_loadu_si512(x + k);
    for (int64_t j = 0; j < kLanes; ++j) {
      acc[j] = _mm512_dpbf16_ps(acc[j], value, (__m512bh)_mm512_loadu_si512(w + j * a.in + k));
    }
  }
  if (whole < a.in) {
    const __mmask32 mask = (__mmask32{1} << (a.in - whole)) - 1;
    const __m512bh value = (__m512bh)_mm512_maskz_loadu_epi16(mask, x + whole);
    for (int64_t j = 0; j < kLanes; ++j) {
      acc[j] = _mm512_dpbf16_ps(acc[j], value,
                                (__m512bh)_mm512_maskz_loadu_epi16(mask, w + j * a.in + whole));
    }
  }
  Vec lanes[kLanes];
  std::memcpy(lanes, acc, sizeof(lanes));
  Finish(a, row, o, SumEach(lanes));
}

template <typename Out>
WINDOWKV_TARGET_AVX512_BF16 void RunBf16(const Args<c10::BFloat16, Out>& a, int64_t begin,
                                         int64_t end) {
  for (int64_t group = begin; group < end; ++group) {
    const int64_t o = group * kLanes;
    for (int64_t row = 0; row < a.rows; ++row) {
      if (o + kLanes <= a.out_features) {
        SixteenOutputsBf16(a, row, o);
      } else {
        for (int64_t i = o; i < a.out_features; ++i) OneOutput(a, row, i);
      }
    }
  }
}

#endif

// Items are groups of sixteen output features, as above.
template <typename Out>
WINDOWKV_TARGET_AVX512 void RunAmx(const Args<c10::BFloat16, Out>& a, int64_t begin, int64_t end) {
  constexpr int64_t kGroups = 4;
  const int64_t whole_groups = std::min(end, a.out_features / kLanes);
  const int64_t block_pairs = a.in / 2 * kAmxRows;
  alignas(64) float sums[kGroups * kLanes * kAmxRows];
  AmxBegin();
  for (int64_t group = begin; group < whole_groups; group += kGroups) {
    const int64_t groups = std::min(kGroups, whole_groups - group);
    for (int64_t first = 0; first < a.rows; first += kAmxRows) {
      AmxProducts(a.weight + group * kLanes * a.in, a.in, a.packed + first / kAmxRows * block_pairs,
                  a.in, groups, sums);
      const int64_t rows = std::min(kAmxRows, a.rows - first);
      for (int64_t g = 0; g < groups; ++g) {
        const float* tile = sums + g * kLanes * kAmxRows;
        for (int64_t row = 0; row < rows; ++row) {
          Vec outputs;
          for (int64_t j = 0; j < kLanes; ++j) outputs[j] = tile[j * kAmxRows + row];
          Finish(a, first + row, (group + g) * kLanes, outputs);
        }
      }
    }
  }
  AmxEnd();
  if (end * kLanes <= a.out_features) return;
  for (int64_t o = whole_groups * kLanes; o < a.out_features; ++o) {
    for (int64_t row = 0; row < a.rows; ++row) OneOutput(a, row, o);
  }
}

template <typename T, typename Out>
RangeFunction<Args<T, Out>> Choose() {
#if defined(__x86_64__)
  if constexpr (std::is_same_v<T, c10::BFloat16>) {
    if (BestIsa() == Isa::kAvx512Bf16) return &RunBf16<Out>;
  }
#endif
  return SelectVariant<Body<T, Out>, Args<T, Out>>();
}

template <typename T, typename Out>
void Run(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
         Accumulate accumulate, at::Tensor& out) {
  static const RangeFunction<Args<T, Out>> fn = Choose<T, Out>();
  Args<T, Out> args{x.const_data_ptr<T>(),
                    weight.const_data_ptr<T>(),
                    bias.defined() ? bias.const_data_ptr<T>() : nullptr,
                    out.mutable_data_ptr<Out>(),
                    x.size(0),
                    x.size(1),
                    weight.size(0),
                    accumulate == Accumulate::kYes};
  // A part is worth a thread from about 64k products on.
  const int64_t grain = std::max<int64_t>(1, 65536 / (args.in * args.rows * kLanes));
  const int64_t groups = (args.out_features + kLanes - 1) / kLanes;
  if constexpr (std::is_same_v<T, c10::BFloat16>) {
    // The choice depends on the weight alone: a row is computed alike in any batch.
    if (HasAmxBfloat16() && args.in % kAmxDepth == 0) {
      thread_local std::vector<uint32_t> packed;
      PackRowsForAmx(args.x, args.in, args.rows, args.in, packed);
      args.packed = packed.data();
      return ParallelRange<Args<T, Out>>(&RunAmx<Out>, args, groups, grain);
    }
  }
  ParallelRange(fn, args, groups, grain);
}

}  // namespace

void RowLinearCpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  Accumulate accumulate, at::Tensor& out) {
  DispatchDtype(x.scalar_type(), [&](auto type) {
    using T = decltype(type);
    if (out.scalar_type() == at::kFloat) return Run<T, float>(x, weight, bias, accumulate, out);
    Run<T, T>(x, weight, bias, accumulate, out);
  });
}

}  // namespace windowkv
