#include "engine/kernels/cuda_device.h"
#include "engine/kernels/cuda_launch.cuh"
#include "engine/kernels/cuda_mma.cuh"
#include "engine/kernels/cuda_swiglu.cuh"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/row_linear_mma.h"

namespace windowkv {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kHalf = 8;                     // rows of the weight: half a matrix instruction's
constexpr int kMaxRows = kRowLinearMmaRows;  // of x in a matrix instruction
constexpr int kBlocksPerMultiprocessor = 2;
constexpr int kDepth = 32;  // elements of each row that a warp takes at a time
constexpr int kAhead = 4;   // of these, read before the first is used

using bf16 = __nv_bfloat16;

template <typename Out>
struct Args {
  const bf16* x;
  const bf16* weight;
  const bf16* bias;  // null: none
  Out* out;
  int rows;
  int in;
  int out_features;  // of the result: half the weight's rows with swiglu
  bool accumulate;
};

__device__ inline uint4 Bits(const Pack<bf16>& pack) {
  return *reinterpret_cast<const uint4*>(&pack);
}

// What a block's warps have added up, added together.
template <typename Out, int kHalves, bool kSwiGlu>
__device__ void WriteResults(const Args<Out>& a, int first,
                             const float (&sums)[(kHalves + 1) / 2][4]) {
  constexpr int kFeatures = kHalves * kHalf;
  constexpr int kResults = kSwiGlu ? kFeatures / 2 : kFeatures;
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int group = lane / 4;
  // [warp][feature][row], a word more per feature so that lanes meet no bank twice.
  __shared__ float shared[kWarps][kFeatures][kMaxRows + 1];
#pragma unroll
  for (int half = 0; half < kHalves; ++half) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      shared[warp][half * kHalf + group][lane % 4 * 2 + i] = sums[half / 2][half % 2 * 2 + i];
    }
  }
  __syncthreads();
  const int feature = threadIdx.x % kResults;
  const int of = threadIdx.x / kResults;
  const int at = first + feature;
  if (of >= a.rows || at >= a.out_features) return;
  float result = 0;
  float up = 0;
  for (int w = 0; w < kWarps; ++w) {
    result += shared[w][feature][of];
    if constexpr (kSwiGlu) up += shared[w][feature + kHalf][of];
  }
  if (a.bias != nullptr) {
    result += ToFloat(a.bias[at]);
    if constexpr (kSwiGlu) up += ToFloat(a.bias[a.out_features + at]);
  }
  if constexpr (kSwiGlu) result = Gated(result, up);
  Out& out = a.out[int64_t{of} * a.out_features + at];
  if (a.accumulate) result += ToFloat(out);
  out = FromFloat<Out>(result);
}

// A block computes two or three times eight output features of all rows: its warps share out the
// elements of a row, 256 bytes of each of the weight's rows at a time, and add up what they have at
// the end. What is multiplied makes room for the next of its kind, so the same number of loads is
// always on its way. Which elements a matrix instruction pairs does not matter to a sum of
// products, so a lane's two parts of a tile are sixteen neighbouring bytes. With swiglu, eight
// features: their gates, then their ups.
template <typename Out, int kHalves, bool kSwiGlu>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor) Kernel(Args<Out> a) {
  static_assert(!kSwiGlu || kHalves == 2);
  constexpr int kResults = kSwiGlu ? kHalf : kHalves * kHalf;
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int group = lane / 4;  // also the row of x that the lane reads
  const int part = lane % 4 * 8;
  const int first = blockIdx.x * kResults;
  const bf16* weight[kHalves];
#pragma unroll
  for (int half = 0; half < kHalves; ++half) {
    // Beyond the last feature a block computes it again and writes nothing.
    const int feature = min(first + group + (kSwiGlu ? 0 : half * kHalf), a.out_features - 1);
    const int weight_row = kSwiGlu ? half * a.out_features + feature : feature;
    weight[half] = a.weight + int64_t{weight_row} * a.in + part;
  }
  const bf16* row = a.x + int64_t{group} * a.in + part;
  constexpr int kRound = kWarps * kAhead * kDepth;
  const int begin = warp * kAhead * kDepth;
  uint4 weights[kAhead][kHalves];
  uint4 rows[kAhead] = {};
  const auto load_weights = [&](int ahead, int i) {
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
      weights[ahead][half] = Bits(LoadPackOnce(weight[half] + i));
    }
  };
  const auto load_rows = [&](int ahead, int i) {
    if (group < a.rows) rows[ahead] = *reinterpret_cast<const uint4*>(row + i);
  };
#pragma unroll
  for (int ahead = 0; ahead < kAhead; ++ahead) {
    const int i = begin + ahead * kDepth;
    if (i < a.in) load_weights(ahead, i);
  }
  WaitForInputs();
#pragma unroll
  for (int ahead = 0; ahead < kAhead; ++ahead) {
    const int i = begin + ahead * kDepth;
    if (i < a.in) load_rows(ahead, i);
  }
  float sums[(kHalves + 1) / 2][4] = {};
  for (int first_of_round = begin; first_of_round < a.in; first_of_round += kRound) {
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const int i = first_of_round + ahead * kDepth;
      if (i >= a.in) break;
      const uint4& x = rows[ahead];
#pragma unroll
      for (int half = 0; half < kHalves; half += 2) {
        const uint4& u = weights[ahead][half];
        const uint4 l = half + 1 < kHalves ? weights[ahead][half + 1] : uint4{};
        MultiplyAdd(sums[half / 2], u.x, l.x, u.y, l.y, x.x, x.y);
        MultiplyAdd(sums[half / 2], u.z, l.z, u.w, l.w, x.z, x.w);
      }
      if (i + kRound >= a.in) continue;
      load_weights(ahead, i + kRound);
      load_rows(ahead, i + kRound);
    }
  }
  WriteResults<Out, kHalves, kSwiGlu>(a, first, sums);
}

// Whether blocks of three halves end sooner than blocks of two: as many run at once, and the last
// ones run with places left empty. A query, key and value product of 6,144 features is 384 blocks
// of two halves on 264 places, or 256 of three.
bool TakesThreeHalves(int64_t features) {
  const int64_t places = int64_t{CudaMultiprocessors()} * kBlocksPerMultiprocessor;
  const auto time = [&](int64_t halves) {
    const int64_t each = halves * kHalf;
    const int64_t blocks = (features + each - 1) / each;
    return (blocks + places - 1) / places * halves;
  };
  return time(3) < time(2);
}

template <typename OutScalar>
void Run(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
         Accumulate accumulate, bool swiglu, at::Tensor& out) {
  using Scalar = c10::BFloat16;
  using Out = typename DeviceTypeOf<OutScalar>::type;
  const Args<Out> args{DeviceData<Scalar>(x),
                       DeviceData<Scalar>(weight),
                       bias.defined() ? DeviceData<Scalar>(bias) : nullptr,
                       MutableDeviceData<OutScalar>(out),
                       static_cast<int>(x.size(0)),
                       static_cast<int>(x.size(1)),
                       static_cast<int>(out.size(1)),
                       accumulate == Accumulate::kYes};
  const bool three = !swiglu && TakesThreeHalves(args.out_features);
  const int results = swiglu ? kHalf : three ? 3 * kHalf : 2 * kHalf;
  const auto blocks = static_cast<unsigned>((args.out_features + results - 1) / results);
  const auto kernel = swiglu  ? &Kernel<Out, 2, true>
                      : three ? &Kernel<Out, 3, false>
                              : &Kernel<Out, 2, false>;
  LaunchEarly(kernel, {dim3(blocks), kThreads}, args);
}

}  // namespace

bool HasRowLinearMma(const at::Tensor& x, const at::Tensor& weight) {
  return x.scalar_type() == at::kBFloat16 && x.size(0) <= kMaxRows && x.size(1) % kDepth == 0 &&
         IsPackAligned(DeviceData<c10::BFloat16>(x)) &&
         IsPackAligned(DeviceData<c10::BFloat16>(weight));
}

void RowLinearMma(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  Accumulate accumulate, bool swiglu, at::Tensor& out) {
  if (out.numel() == 0) return;
  if (out.scalar_type() == at::kFloat) {
    Run<float>(x, weight, bias, accumulate, swiglu, out);
  } else {
    Run<c10::BFloat16>(x, weight, bias, accumulate, swiglu, out);
  }
}

}  // namespace windowkv
