#include <ATen/ops/mm.h>

#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/row_linear.h"
#include "engine/kernels/row_linear_mma.h"

namespace windowkv {
namespace {

constexpr int kThreads = 128;

template <typename T, typename Out>
struct Args {
  const T* x;
  const T* weight;
  const T* bias;  // null: none
  Out* out;
  int64_t in;
  int64_t out_features;
  bool accumulate;
};

// A warp for one output feature of one row.
template <typename T, typename Out>
__global__ void __launch_bounds__(kThreads) Kernel(Args<T, Out> a) {
  const int64_t feature = (blockIdx.x * int64_t{kThreads} + threadIdx.x) / kWarp;
  if (feature >= a.out_features) return;
  const int lane = threadIdx.x % kWarp;
  const T* x = a.x + blockIdx.y * a.in;
  const T* weight = a.weight + feature * a.in;
  float sum = 0;
  for (int64_t i = lane; i < a.in; i += kWarp) sum += ToFloat(x[i]) * ToFloat(weight[i]);
  sum = WarpSum(sum);
  if (lane != 0) return;
  Out& out = a.out[blockIdx.y * a.out_features + feature];
  if (a.bias != nullptr) sum += ToFloat(a.bias[feature]);
  if (a.accumulate) sum += ToFloat(out);
  out = FromFloat<Out>(sum);
}

template <typename Scalar, typename OutScalar>
void Run(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
         Accumulate accumulate, at::Tensor& out) {
  using T = typename DeviceTypeOf<Scalar>::type;
  using Out = typename DeviceTypeOf<OutScalar>::type;
  const Args<T, Out> args{DeviceData<Scalar>(x),
                          DeviceData<Scalar>(weight),
                          bias.defined() ? DeviceData<Scalar>(bias) : nullptr,
                          MutableDeviceData<OutScalar>(out),
                          x.size(1),
                          weight.size(0),
                          accumulate == Accumulate::kYes};
  constexpr int64_t kFeatures = kThreads / kWarp;
  const dim3 grid(static_cast<unsigned>((args.out_features + kFeatures - 1) / kFeatures),
                  static_cast<unsigned>(x.size(0)));
  Kernel<T, Out><<<grid, kThreads, 0, CurrentStream()>>>(args);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

// More rows than a weight is read once for: a library's product.
void Multiply(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
              Accumulate accumulate, at::Tensor& out) {
  if (accumulate == Accumulate::kYes) {
    out.addmm_(x, weight.t());
  } else if (out.scalar_type() == x.scalar_type()) {
    at::mm_out(out, x, weight.t());
  } else {
    at::mm_out(out, x, weight.t(), out.scalar_type());
  }
  if (bias.defined()) out.add_(bias);
}

}  // namespace

void RowLinearCuda(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                   Accumulate accumulate, at::Tensor& out) {
  if (out.numel() == 0) return;
  if (HasRowLinearMma(x, weight)) {
    return RowLinearMma(x, weight, bias, accumulate, /*swiglu=*/false, out);
  }
  const bool is_bfloat16 = x.scalar_type() == at::kBFloat16;
  // float32 serves to check, where a row must not depend on the number of rows.
  if (is_bfloat16 && x.size(0) > kRowLinearMmaRows)
    return Multiply(x, weight, bias, accumulate, out);
  DispatchDtype(x.scalar_type(), [&](auto type) {
    using Scalar = decltype(type);
    if (out.scalar_type() == at::kFloat)
      return Run<Scalar, float>(x, weight, bias, accumulate, out);
    Run<Scalar, Scalar>(x, weight, bias, accumulate, out);
  });
}

}  // namespace windowkv
