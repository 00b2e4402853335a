#include "engine/kernels/rope.h"

namespace windowkv {

KvDestination KvDestination::Rows(at::Tensor& k, at::Tensor& v) {
  KvDestination destination;
  destination.keys = k.mutable_data_ptr();
  destination.values = v.mutable_data_ptr();
  destination.row_stride = k.stride(0);
  destination.head_stride = k.stride(1);
  return destination;
}

KvDestination KvDestination::NewestSlots(at::Tensor& pool, const PagedCaches& caches) {
  KvDestination destination;
  char* pool_data = static_cast<char*>(pool.mutable_data_ptr());
  destination.keys = pool_data;
  destination.values = pool_data + pool.stride(1) * static_cast<int64_t>(pool.element_size());
  destination.row_stride = pool.stride(0);
  destination.head_stride = pool.stride(2);
  destination.caches = caches;
  destination.block_size = pool.size(3);
  destination.slot_stride = pool.stride(3);
  return destination;
}

void RopeAndStore(const at::Tensor& qkv, const at::Tensor& cos_sin, const int32_t* positions,
                  int64_t num_heads, int64_t num_kv_heads, at::Tensor& q_out,
                  const KvDestination& destination) {
  const auto run = qkv.is_cuda() ? &RopeAndStoreCuda : &RopeAndStoreCpu;
  run(qkv, cos_sin, positions, num_heads, num_kv_heads, q_out, destination);
}

}  // namespace windowkv
