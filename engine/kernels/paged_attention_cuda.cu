#include <algorithm>

#include "engine/kernels/cuda_device.h"
#include "engine/kernels/cuda_launch.cuh"
#include "engine/kernels/cuda_values.cuh"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kernels/paged_attention_cuda_softmax.cuh"

namespace windowkv {
namespace paged_attention_cuda {
namespace {

constexpr int kMaxHeads = 4;  // query heads that share one reading of a KV head
constexpr int kBlocksPerMultiprocessor = 2;

template <typename T>
struct Args {
  const T* q;
  int64_t q_stride;
  const T* pool;
  T* out;
  PagedCaches caches;
  int num_heads;
  int num_kv_heads;
  int group;
  int chunks;  // of a group's query heads
  int block_size;
  unsigned block_reciprocal;  // 2^31 / block_size, rounded up
  int head_dim;
  float scale;  // of powers of two
};

// The block that holds a token: token / block_size, which would take a tenth of the kernel's time
// as a division. Exact for kPagedAttentionCudaTokens.
template <typename T>
__device__ int BlockOf(const Args<T>& a, int token) {
  return static_cast<int>(__umulhi(2U * static_cast<unsigned>(token), a.block_reciprocal));
}

// Of the calling lane, within a head.
template <typename T, int kLanes>
__device__ int FirstElement(const Args<T>& a) {
  constexpr int kSize = Pack<T>::kSize;
  return min(static_cast<int>(threadIdx.x) % kLanes * kSize, a.head_dim - kSize);
}

// The tokens [begin, end) of one cache, shared out over the lane groups of the block's warps:
// kLanes lanes hold one token's head. Lanes beyond its end read its last elements, times zero.
template <typename T, int kLanes, int kHeads>
__device__ void AttendTokens(const Args<T>& a, const int32_t* table, int kv_head, int begin,
                             int end, const float (&q)[kHeads][Pack<T>::kSize],
                             Softmax<kLanes, kHeads, Pack<T>::kSize>& softmax) {
  using P = Pack<T>;
  using Lanes = ScoreLanes<kLanes, kHeads>;
  constexpr int kTokens = kWarp / kLanes;
  const int lane = threadIdx.x % kWarp;
  const int64_t plane = int64_t{a.num_kv_heads} * a.block_size * a.head_dim;
  const int64_t head = int64_t{kv_head} * a.block_size * a.head_dim + FirstElement<T, kLanes>(a);
  const int stride = kWarps * kTokens * kAhead;
  for (int first = begin + threadIdx.x / kWarp * kTokens * kAhead; first < end; first += stride) {
    P keys[kAhead];
    P values[kAhead];
#pragma unroll
    for (int t = 0; t < kAhead; ++t) {
      const int token = min(first + t * kTokens + lane / kLanes, end - 1);
      const int block = BlockOf(a, token);
      const T* slot =
          a.pool + table[block] * 2 * plane + head + (token - block * a.block_size) * a.head_dim;
      keys[t] = LoadPack(slot);
      values[t] = LoadPack(slot + plane);
    }
    float scores[Lanes::kScores] = {};
#pragma unroll
    for (int t = 0; t < kAhead; ++t) {
#pragma unroll
      for (int h = 0; h < kHeads; ++h) {
        float& dot = scores[h * kAhead + t];
#pragma unroll
        for (int i = 0; i < P::kSize; ++i) dot += q[h][i] * ToFloat(keys[t].values[i]);
      }
    }
    SumToOwners<kLanes>(scores);
    float own[Lanes::kEach];
#pragma unroll
    for (int i = 0; i < Lanes::kEach; ++i) {
      const int token = first + (Lanes::FirstToken() + i) * kTokens + lane / kLanes;
      own[i] = token < end ? scores[i] : -INFINITY;
    }
    AddTokens<kLanes, kHeads>(own, values, softmax);
  }
}

// Brings the first keys and values of a part near, a cache line for each thread.
template <typename T>
__device__ void Prefetch(const Args<T>& a, const int32_t* table, int kv_head, int begin, int end) {
  constexpr int kLine = 128 / sizeof(T);
  const int64_t plane = int64_t{a.num_kv_heads} * a.block_size * a.head_dim;
  const int lines = max(a.head_dim / kLine, 1);
  const int token = begin + static_cast<int>(threadIdx.x) / lines;
  if (token >= end) return;
  const int block = BlockOf(a, token);
  const T* slot = a.pool + table[block] * 2 * plane +
                  (int64_t{kv_head} * a.block_size + token - block * a.block_size) * a.head_dim +
                  static_cast<int>(threadIdx.x) % lines * kLine;
  asm volatile("prefetch.global.L2 [%0];" ::"l"(slot));
  asm volatile("prefetch.global.L2 [%0];" ::"l"(slot + plane));
}

// A block for a sequence, a chunk of one KV head's query heads, and a part of the tokens; the parts
// are a cluster, whose blocks read one another's shared memory.
template <typename T, int kLanes, int kHeads>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor) Kernel(Args<T> a) {
  using P = Pack<T>;
  const int head_dim = a.head_dim;
  const int sequence = blockIdx.x;
  // The step's inputs, which no kernel writes, are read while the kernel before this one ends.
  const int length = a.caches.lengths[sequence];
  const int32_t* table = a.caches.Table(sequence);
  const int part_tokens =
      max((length + static_cast<int>(gridDim.z) - 1) / static_cast<int>(gridDim.z), 32);
  const int begin = blockIdx.z * part_tokens;
  const int end = min(begin + part_tokens, length);
  const int parts = (length + part_tokens - 1) / part_tokens;
  const int kv_head = blockIdx.y / a.chunks;
  const int first_in_group = blockIdx.y % a.chunks * kHeads;
  const int heads = min(kHeads, a.group - first_in_group);
  const int first_head = kv_head * a.group + first_in_group;
  if (begin >= length) return;
  Prefetch(a, table, kv_head, begin, end);
  WaitForInputs();

  float q[kHeads][P::kSize];
  Softmax<kLanes, kHeads, P::kSize> softmax;
  softmax.maximum = -INFINITY;
  softmax.weight = 0;
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    const T* head = a.q + sequence * a.q_stride + (first_head + min(h, heads - 1)) * head_dim;
    const P pack = LoadPack(head + FirstElement<T, kLanes>(a));
    const bool has_elements = threadIdx.x % kLanes * P::kSize < head_dim;
#pragma unroll
    for (int i = 0; i < P::kSize; ++i) {
      q[h][i] = has_elements ? ToFloat(pack.values[i]) * a.scale : 0;
      softmax.sums[h][i] = 0;
    }
  }
  AttendTokens<T, kLanes, kHeads>(a, table, kv_head, begin, end, q, softmax);
  __shared__ PartSoftmax<kHeads, kLanes * P::kSize> merged;
  MergeLaneGroups<kLanes>(softmax, merged);

  T* out = a.out + (int64_t{sequence} * a.num_heads + first_head) * head_dim;
  if (parts > 1) return MergeParts(merged, parts, heads, head_dim, out);
  for (int i = threadIdx.x; i < heads * head_dim; i += kThreads) {
    out[i] = FromFloat<T>(merged.sums[i / head_dim][i % head_dim] / merged.weight[i / head_dim]);
  }
}

template <typename T, int kLanes>
void LaunchHeads(const Args<T>& args, int heads, dim3 grid) {
  const auto kernel = heads == 1   ? &Kernel<T, kLanes, 1>
                      : heads == 2 ? &Kernel<T, kLanes, 2>
                      : heads == 3 ? &Kernel<T, kLanes, 3>
                                   : &Kernel<T, kLanes, kMaxHeads>;
  LaunchEarly(kernel, {grid, kThreads, grid.z}, args);
}

template <typename T>
void Launch(const Args<T>& args, int heads, dim3 grid) {
  const int packs = args.head_dim / Pack<T>::kSize;
  if (packs <= 4) return LaunchHeads<T, 4>(args, heads, grid);
  if (packs <= 8) return LaunchHeads<T, 8>(args, heads, grid);
  if (packs <= 16) return LaunchHeads<T, 16>(args, heads, grid);
  LaunchHeads<T, kWarp>(args, heads, grid);
}

// Into how many parts the caches of a batch are split, a power of two. float32 splits alike in any
// batch; bfloat16 so that all blocks run at once.
int64_t Parts(at::ScalarType dtype, int64_t blocks) {
  if (dtype == at::kFloat) return kMaxParts;
  const int64_t places = int64_t{CudaMultiprocessors()} * kBlocksPerMultiprocessor;
  int64_t parts = 1;
  while (parts < kMaxParts && 2 * parts * blocks <= places) parts *= 2;
  return parts;
}

}  // namespace
}  // namespace paged_attention_cuda

bool HasPagedAttentionCuda(int64_t head_dim, at::ScalarType dtype) {
  const int64_t size = kPackBytes / static_cast<int64_t>(c10::elementSize(dtype));
  return head_dim % size == 0 && head_dim / size <= kWarp;
}

void PagedAttention::RunCuda(const at::Tensor& q, const at::Tensor& pool, const PagedCaches& caches,
                             int64_t num_heads, float scale, at::Tensor& out) {
  using paged_attention_cuda::Args;
  using paged_attention_cuda::kMaxHeads;
  const int64_t batch = q.size(0);
  if (batch == 0) return;
  const int64_t num_kv_heads = pool.size(2);
  const int64_t head_dim = pool.size(4);
  const int64_t group = num_heads / num_kv_heads;
  const int64_t chunks = (group + kMaxHeads - 1) / kMaxHeads;
  const int64_t heads = (group + chunks - 1) / chunks;
  const int64_t blocks = batch * num_kv_heads * chunks;
  TORCH_CHECK(HasPagedAttentionCuda(head_dim, q.scalar_type()),
              "paged attention on CUDA: head_dim ", head_dim, " is not supported");
  const int64_t parts = paged_attention_cuda::Parts(q.scalar_type(), blocks);
  DispatchDtype(q.scalar_type(), [&](auto type) {
    using Scalar = decltype(type);
    using T = typename DeviceTypeOf<Scalar>::type;
    constexpr float kLog2E = 1.44269504f;
    const Args<T> args{
        DeviceData<Scalar>(q),
        q.stride(0),
        DeviceData<Scalar>(pool),
        MutableDeviceData<Scalar>(out),
        caches,
        static_cast<int>(num_heads),
        static_cast<int>(num_kv_heads),
        static_cast<int>(group),
        static_cast<int>(chunks),
        static_cast<int>(pool.size(3)),
        static_cast<unsigned>(((int64_t{1} << 31) + pool.size(3) - 1) / pool.size(3)),
        static_cast<int>(head_dim),
        scale * kLog2E};
    paged_attention_cuda::Launch(
        args, static_cast<int>(heads),
        dim3(static_cast<unsigned>(batch), static_cast<unsigned>(num_kv_heads * chunks),
             static_cast<unsigned>(parts)));
  });
}

}  // namespace windowkv
