#include <cmath>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rms_norm_args.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

template <typename T>
struct Body {
  WINDOWKV_KERNEL_INLINE static void Run(const RmsNormArgs<T>& a, int64_t begin, int64_t end) {
    const int64_t whole = a.hidden / kLanes * kLanes;
    for (int64_t row = begin; row < end; ++row) {
      const T* x = a.x + row * a.x_stride;
      T* out = a.out + row * a.out_stride;
      Vec squares = {};
      for (int64_t i = 0; i < whole; i += kLanes) {
        const Vec v = Load(x + i);
        squares += v * v;
      }
      float sum = Sum(squares);
      for (int64_t i = whole; i < a.hidden; ++i) sum += float(x[i]) * float(x[i]);
      const float scale = 1.0f / std::sqrt(sum / static_cast<float>(a.hidden) + a.eps);
      for (int64_t i = 0; i < whole; i += kLanes) {
        Store(out + i, Load(x + i) * scale * Load(a.weight + i));
      }
      for (int64_t i = whole; i < a.hidden; ++i) {
        out[i] = static_cast<T>(float(x[i]) * scale * float(a.weight[i]));
      }
    }
  }
};

}  // namespace

void RmsNormCpu(const at::Tensor& x, const at::Tensor& weight, float eps, at::Tensor& out) {
  DispatchDtype(x.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const RmsNormArgs<T> args(x, weight, eps, out);
    ParallelKernel<Body<T>>(args, x.size(0), /*grain=*/64);
  });
}

}  // namespace windowkv
