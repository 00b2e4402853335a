#include "engine/kernels/cuda_staging.h"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/kv_scatter.h"

namespace windowkv {
namespace {

constexpr int kThreads = 128;

// In units of bytes: the copy does not care about the dtype.
struct Args {
  const char* k;
  const char* v;
  const int32_t* positions;
  int64_t position_stride;  // between heads; 0: one row for all
  const int32_t* count;
  const int32_t* blocks;
  char* pool;
  int64_t num_kv_heads;
  int64_t block_size;
  int64_t head_bytes;
};

// A block for each token that can be kept; Unit is what a thread copies.
template <typename Unit>
__global__ void __launch_bounds__(kThreads) Kernel(Args a) {
  const int64_t i = blockIdx.x;
  if (i >= *a.count) return;
  const int64_t units = a.head_bytes / static_cast<int64_t>(sizeof(Unit));
  const int64_t plane = a.num_kv_heads * a.block_size * units;
  Unit* slot = reinterpret_cast<Unit*>(a.pool) + a.blocks[i / a.block_size] * 2 * plane +
               i % a.block_size * units;
  for (int64_t u = threadIdx.x; u < a.num_kv_heads * units; u += kThreads) {
    const int64_t head = u / units;
    const int64_t position = a.positions[head * a.position_stride + i];
    const int64_t source = position * a.num_kv_heads * units + u;
    const int64_t target = head * a.block_size * units + u % units;
    slot[target] = reinterpret_cast<const Unit*>(a.k)[source];
    slot[target + plane] = reinterpret_cast<const Unit*>(a.v)[source];
  }
}

}  // namespace

void KvScatterCuda(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept,
                   const std::vector<int32_t>& blocks, at::Tensor& pool) {
  const int64_t capacity = kept.positions.size(1);
  if (capacity == 0) return;
  const at::Tensor staged_blocks = StagedCopy(blocks, k.device());
  const Args args{static_cast<const char*>(k.const_data_ptr()),
                  static_cast<const char*>(v.const_data_ptr()),
                  kept.positions.const_data_ptr<int32_t>(),
                  kept.positions.size(0) > 1 ? capacity : 0,
                  kept.count.const_data_ptr<int32_t>(),
                  StagedData<int32_t>(staged_blocks),
                  static_cast<char*>(pool.mutable_data_ptr()),
                  pool.size(2),
                  pool.size(3),
                  pool.size(4) * static_cast<int64_t>(pool.element_size())};
  const bool packed = args.head_bytes % kPackBytes == 0 && IsPackAligned(args.k) &&
                      IsPackAligned(args.v) && IsPackAligned(args.pool);
  const auto kernel = packed ? &Kernel<uint4> : &Kernel<uint16_t>;
  kernel<<<static_cast<unsigned>(capacity), kThreads, 0, CurrentStream()>>>(args);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace windowkv
