#include <cstring>

#include "engine/kernels/isa.h"
#include "engine/kernels/kv_scatter.h"

namespace windowkv {
namespace {

// In bytes: the copy does not care about the dtype.
struct Args {
  const char* k;
  const char* v;
  const int32_t* positions;
  int64_t position_stride;  // between heads; 0: one row for all
  const int32_t* blocks;
  char* pool;
  int64_t num_kv_heads;
  int64_t block_size;
  int64_t head_bytes;
};

struct Body {
  WINDOWKV_KERNEL_INLINE static void Run(const Args& a, int64_t begin, int64_t end) {
    const int64_t plane = a.num_kv_heads * a.block_size * a.head_bytes;
    for (int64_t i = begin; i < end; ++i) {
      char* slot =
          a.pool + a.blocks[i / a.block_size] * 2 * plane + (i % a.block_size) * a.head_bytes;
      for (int64_t h = 0; h < a.num_kv_heads; ++h) {
        const int64_t position = a.positions[h * a.position_stride + i];
        const int64_t source = (position * a.num_kv_heads + h) * a.head_bytes;
        char* target = slot + h * a.block_size * a.head_bytes;
        std::memcpy(target, a.k + source, a.head_bytes);
        std::memcpy(target + plane, a.v + source, a.head_bytes);
      }
    }
  }
};

}  // namespace

void KvScatterCpu(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept,
                  const std::vector<int32_t>& blocks, at::Tensor& pool) {
  const Args args{static_cast<const char*>(k.const_data_ptr()),
                  static_cast<const char*>(v.const_data_ptr()),
                  kept.positions.const_data_ptr<int32_t>(),
                  kept.positions.size(0) > 1 ? kept.positions.size(1) : 0,
                  blocks.data(),
                  static_cast<char*>(pool.mutable_data_ptr()),
                  pool.size(2),
                  pool.size(3),
                  pool.size(4) * static_cast<int64_t>(pool.element_size())};
  ParallelKernel<Body>(args, *kept.count.const_data_ptr<int32_t>(), /*grain=*/256);
}

}  // namespace windowkv
