#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/merge_attention_cuda.h"

namespace windowkv {
namespace {

using T = __nv_bfloat16;
constexpr int kThreads = 256;

struct Values {
  T* data;
  int64_t row_stride;
  int64_t head_stride;
};

struct Args {
  Values other;
  Values own;
  const float* other_logsumexp;
  const float* own_logsumexp;
  float* logsumexp;  // null: not wanted
  int64_t heads;
  int64_t rows;
  int64_t head_dim;
};

// A block for each row, a thread for a pack of a head.
__global__ void __launch_bounds__(kThreads) Kernel(Args a) {
  const int64_t row = blockIdx.x;
  const int64_t packs = a.head_dim / Pack<T>::kSize;
  for (int64_t i = threadIdx.x; i < a.heads * packs; i += kThreads) {
    const int64_t head = i / packs;
    const int64_t begin = i % packs * Pack<T>::kSize;
    const int64_t softmax = head * a.rows + row;
    const float own_logsumexp = a.own_logsumexp[softmax];
    const float apart = a.other_logsumexp[softmax] - own_logsumexp;
    // 1 when the other one's denominator is nothing beside this one's, 0 the other way round.
    const float share = 1 / (1 + __expf(apart));
    T* target = a.own.data + row * a.own.row_stride + head * a.own.head_stride + begin;
    const T* source = a.other.data + row * a.other.row_stride + head * a.other.head_stride + begin;
    Pack<T> own = LoadPack(target);
    const Pack<T> other = LoadPackOnce(source);
#pragma unroll
    for (int j = 0; j < Pack<T>::kSize; ++j) {
      const float from = ToFloat(other.values[j]);
      own.values[j] = FromFloat<T>(from + (ToFloat(own.values[j]) - from) * share);
    }
    StorePart(target, own);
    if (begin == 0 && a.logsumexp != nullptr) {
      a.logsumexp[softmax] = own_logsumexp + fmaxf(apart, 0) + log1pf(__expf(-fabsf(apart)));
    }
  }
}

Values ValuesOf(const at::Tensor& values) {
  return {reinterpret_cast<T*>(values.data_ptr()), values.stride(0), values.stride(1)};
}

}  // namespace

void MergeAttentionCuda(const PartialAttention& other, PartialAttention& own,
                        at::Tensor* logsumexp) {
  for (const at::Tensor& values : {other.values, own.values}) {
    TORCH_CHECK(
        values.stride(2) == 1 && values.size(2) % Pack<T>::kSize == 0 &&
            IsPackAligned(static_cast<const T*>(values.const_data_ptr()), values.stride(0)) &&
            values.stride(1) % Pack<T>::kSize == 0,
        "the attention to be merged does not lie in packs");
  }
  TORCH_CHECK(other.logsumexp.is_contiguous() && own.logsumexp.is_contiguous());
  const Args args{ValuesOf(other.values),
                  ValuesOf(own.values),
                  other.logsumexp.const_data_ptr<float>(),
                  own.logsumexp.const_data_ptr<float>(),
                  logsumexp == nullptr ? nullptr : logsumexp->mutable_data_ptr<float>(),
                  own.values.size(1),
                  own.values.size(0),
                  own.values.size(2)};
  Kernel<<<static_cast<unsigned>(args.rows), kThreads, 0, CurrentStream()>>>(args);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace windowkv
