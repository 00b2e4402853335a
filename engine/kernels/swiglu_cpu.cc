#include <cmath>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/swiglu.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

template <typename T>
struct Args {
  const T* gate_up;
  T* out;
  int64_t width;
};

template <typename T>
struct Body {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, int64_t begin, int64_t end) {
    const int64_t whole = a.width / kLanes * kLanes;
    for (int64_t row = begin; row < end; ++row) {
      const T* gate = a.gate_up + row * 2 * a.width;
      const T* up = gate + a.width;
      T* out = a.out + row * a.width;
      for (int64_t i = 0; i < whole; i += kLanes) {
        const Vec g = Load(gate + i);
        Store(out + i, g / (1.0f + Exp(-g)) * Load(up + i));
      }
      for (int64_t i = whole; i < a.width; ++i) {
        const float g = gate[i];
        out[i] = static_cast<T>(g / (1.0f + std::exp(-g)) * float(up[i]));
      }
    }
  }
};

}  // namespace

void SwiGluCpu(const at::Tensor& gate_up, at::Tensor& out) {
  DispatchDtype(gate_up.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const Args<T> args{gate_up.const_data_ptr<T>(), out.mutable_data_ptr<T>(), out.size(1)};
    ParallelKernel<Body<T>>(args, out.size(0), /*grain=*/16);
  });
}

}  // namespace windowkv
