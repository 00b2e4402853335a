#ifndef WINDOWKV_ENGINE_KERNELS_ROPE_H_
#define WINDOWKV_ENGINE_KERNELS_ROPE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "engine/kernels/host_device.h"
#include "engine/kernels/paged_caches.h"

namespace windowkv {

// Where the keys and values of rows go: to rows of prefill scratch, or to the newest slot of each
// row's cache. A view of memory on the rows' device; strides in elements.
struct KvDestination {
  // k, v: [rows, num_kv_heads, head_dim], rows strided
  static KvDestination Rows(at::Tensor& k, at::Tensor& v);
  // pool: [num_blocks, 2, num_kv_heads, block_size, head_dim], contiguous; the caches' lengths
  // count the new tokens
  static KvDestination NewestSlots(at::Tensor& pool, const PagedCaches& caches);

  // Where row `row`'s first head begins; negative for a row that has no place.
  WINDOWKV_HOST_DEVICE int64_t Offset(int64_t row) const {
    if (caches.lengths == nullptr) return row * row_stride;
    const int64_t newest = caches.lengths[row] - 1;
    if (newest < 0) return -1;
    const int64_t block = caches.Table(row)[newest / block_size];
    return block * row_stride + newest % block_size * slot_stride;
  }

  void* keys = nullptr;
  void* values = nullptr;
  int64_t row_stride = 0;   // between rows, or between blocks
  int64_t head_stride = 0;  // between heads
  PagedCaches caches;       // without lengths for rows of scratch
  int64_t block_size = 1;
  int64_t slot_stride = 0;
};

// Rotates the query heads of each row (arXiv 2104.09864, halves paired) into `q_out`, and stores
// the rotated keys and the values. One pass over the output of the fused projection.
//   qkv: [rows, (num_heads + 2 * num_kv_heads) * head_dim], rows contiguous, float32 or bfloat16
//   cos_sin: [context_length, head_dim] float32, the cosines in the first half of a row
//   positions: `rows` absolute positions, in memory of the rows' device
//   q_out: [rows, num_heads * head_dim], rows strided, same dtype; may be the first columns of qkv
// num_heads or num_kv_heads may be 0: then q_out or the destination is not touched.
void RopeAndStore(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
                  int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
                  const KvDestination& destination);

// The same on one kind of device.
void RopeAndStoreCpu(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
                     int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
                     const KvDestination& destination);
void RopeAndStoreCuda(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
                      int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
                      const KvDestination& destination);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_ROPE_H_
