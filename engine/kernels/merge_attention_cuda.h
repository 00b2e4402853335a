#ifndef WINDOWKV_ENGINE_KERNELS_MERGE_ATTENTION_CUDA_H_
#define WINDOWKV_ENGINE_KERNELS_MERGE_ATTENTION_CUDA_H_

#include <ATen/core/Tensor.h>

namespace windowkv {

// Some queries' attention to some keys, on CUDA.
struct PartialAttention {
  // [rows, num_heads, head_dim] bfloat16, last dimension contiguous, all others and head_dim in
  // multiples of sixteen bytes.
  at::Tensor values;
  at::Tensor logsumexp;  // [num_heads, rows] float32, contiguous: of each softmax's denominator
};

// Makes `own` the attention of the same queries to the keys of both: each part's values count by
// its share of the softmax's denominator (FlashAttention, arXiv 2205.14135, section 3.1). Asked for
// the denominators' logarithms, writes them to `logsumexp`, shaped as a part's.
void MergeAttentionCuda(const PartialAttention& other, PartialAttention& own,
                        at::Tensor* logsumexp);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_MERGE_ATTENTION_CUDA_H_
