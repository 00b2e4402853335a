#include <cstring>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/rope.h"
#include "engine/kernels/rope_args.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

// out may be x.
template <typename T>
WINDOWKV_KERNEL_INLINE void Rotate(const T* x, const float* cos, const float* sin, int64_t half,
                                   T* out) {
  const int64_t whole = half / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vec low = Load(x + i);
    const Vec high = Load(x + half + i);
    const Vec c = Load(cos + i);
    const Vec s = Load(sin + i);
    Store(out + i, low * c - high * s);
    Store(out + half + i, high * c + low * s);
  }
  for (int64_t i = whole; i < half; ++i) {
    const float low = x[i];
    const float high = x[half + i];
    out[i] = static_cast<T>(low * cos[i] - high * sin[i]);
    out[half + i] = static_cast<T>(high * cos[i] + low * sin[i]);
  }
}

template <typename T>
struct Body {
  WINDOWKV_KERNEL_INLINE static void Run(const RopeArgs<T>& a, int64_t begin, int64_t end) {
    const int64_t half = a.head_dim / 2;
    const int64_t width = (a.num_heads + 2 * a.num_kv_heads) * a.head_dim;
    for (int64_t row = begin; row < end; ++row) {
      const T* q = a.qkv + row * width;
      T* q_out = a.q_out + row * a.q_out_stride;
      const T* k = q + a.num_heads * a.head_dim;
      const T* v = k + a.num_kv_heads * a.head_dim;
      const float* cos = a.cos_sin + a.positions[row] * a.head_dim;
      const float* sin = cos + half;
      for (int64_t h = 0; h < a.num_heads; ++h) {
        Rotate(q + h * a.head_dim, cos, sin, half, q_out + h * a.head_dim);
      }
      if (a.num_kv_heads == 0) continue;
      const int64_t offset = a.destination.Offset(row);
      if (offset < 0) continue;
      T* key = static_cast<T*>(a.destination.keys) + offset;
      T* value = static_cast<T*>(a.destination.values) + offset;
      for (int64_t h = 0; h < a.num_kv_heads; ++h) {
        const int64_t head = h * a.destination.head_stride;
        Rotate(k + h * a.head_dim, cos, sin, half, key + head);
        std::memcpy(value + head, v + h * a.head_dim, a.head_dim * sizeof(T));
      }
    }
  }
};

}  // namespace

void RopeAndStoreCpu(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
                     int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
                     const KvDestination& destination) {
  DispatchDtype(qkv.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const RopeArgs<T> args(qkv, cos_sin, positions, num_heads, num_kv_heads, q_out, destination);
    ParallelKernel<Body<T>>(args, qkv.size(0), /*grain=*/64);
  });
}

}  // namespace windowkv
