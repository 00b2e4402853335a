#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "engine/kernels/amx_products.h"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kernels/paged_attention_scores.h"
#include "engine/kernels/paged_attention_softmax.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

constexpr int32_t kSplitTokens = 512;
constexpr int64_t kCacheLine = 64;

template <typename T>
struct Args {
  const T* q;
  int64_t q_stride;
  const T* pool;
  T* out;
  PagedCaches caches;
  const PagedAttention::Item* items;
  float* partials;  // per item: group * PartialStride floats
  int64_t num_heads;
  int64_t num_kv_heads;
  int64_t head_dim;
  int64_t block_size;
  float scale;
};

// Of one query head: weighted sum of values, maximum, sum.
WINDOWKV_KERNEL_INLINE int64_t PartialStride(int64_t head_dim) { return head_dim + 2; }

// Where the keys and values of a token's block lie, for one KV head.
template <typename T>
struct BlockReader {
  const Args<T>& a;
  const PagedAttention::Item& item;
  int64_t head_elements = a.block_size * a.head_dim;
  const int32_t* table = a.caches.Table(item.sequence);

  WINDOWKV_KERNEL_INLINE const T* Keys(int64_t token) const {
    const int64_t block = table[token / a.block_size];
    return a.pool + (2 * a.num_kv_heads * block + item.kv_head) * head_elements +
           token % a.block_size * a.head_dim;
  }
  WINDOWKV_KERNEL_INLINE const T* Values(int64_t token) const {
    return Keys(token) + a.num_kv_heads * head_elements;
  }
  // Tokens from `token` on that lie side by side, up to `end`.
  WINDOWKV_KERNEL_INLINE int64_t Run(int64_t token, int64_t end) const {
    return std::min(a.block_size - token % a.block_size, end - token);
  }
  // The processor does not foresee a jump to another block.
  WINDOWKV_KERNEL_INLINE void Prefetch(int64_t token) const {
    if (token >= item.end) return;
    const int64_t bytes = Run(token, item.end) * a.head_dim * static_cast<int64_t>(sizeof(T));
    const char* keys = reinterpret_cast<const char*>(Keys(token));
    const char* values = reinterpret_cast<const char*>(Values(token));
    for (int64_t i = 0; i < bytes; i += kCacheLine) {
      __builtin_prefetch(keys + i);
      __builtin_prefetch(values + i);
    }
  }
};

// kHeads query heads over one item; `partial` is the first one's.
template <int kHeads, typename T, typename Scores>
WINDOWKV_KERNEL_INLINE void Attend(const Args<T>& a, const PagedAttention::Item& item,
                                   const Scores& scores, float* partial) {
  Softmax softmax;
  for (int h = 0; h < kHeads; ++h) {
    softmax.acc[h] = partial + h * PartialStride(a.head_dim);
    softmax.maximum[h] = -std::numeric_limits<float>::infinity();
    softmax.sum[h] = 0;
    std::fill_n(softmax.acc[h], a.head_dim, 0.0f);
  }
  const BlockReader<T> blocks{a, item};
  alignas(64) float weights[kHeads * kMaxScores];
  for (int64_t begin = item.begin; begin < item.end; begin += kMaxScores) {
    const int64_t end = std::min<int64_t>(begin + kMaxScores, item.end);
    for (int64_t t = begin; t < end; t += blocks.Run(t, end)) {
      blocks.Prefetch(t + kMaxScores);
      scores.Compute(blocks.Keys(t), blocks.Run(t, end), weights + (t - begin));
    }
    UpdateSoftmax<kHeads>(end - begin, a.head_dim, weights, softmax);
    for (int64_t t = begin; t < end; t += blocks.Run(t, end)) {
      AddValues<kHeads>(blocks.Values(t), blocks.Run(t, end), a.head_dim, weights + (t - begin),
                        softmax);
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    for (int64_t d = 0; d + 2 * kLanes <= a.head_dim; d += 2 * kLanes) {
      RestoreOrder<T>(softmax.acc[h] + d);
    }
    softmax.acc[h][a.head_dim] = softmax.maximum[h];
    softmax.acc[h][a.head_dim + 1] = softmax.sum[h];
  }
}

struct VectorHeads {
  template <int kHeads, typename T>
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, const PagedAttention::Item& item,
                                         const T* q, float* partial) {
    Attend<kHeads>(a, item, VectorScores<kHeads, T>(q, a.head_dim, a.scale), partial);
  }
};

struct TileHeads {
  template <int kHeads>
  WINDOWKV_KERNEL_INLINE static void Run(const Args<c10::BFloat16>& a,
                                         const PagedAttention::Item& item, const c10::BFloat16* q,
                                         float* partial) {
    Attend<kHeads>(a, item, TileScores<kHeads>(q, a.head_dim, a.scale), partial);
  }
};

// All query heads of the items [begin, end), kMaxHeads at a time.
template <typename Heads, typename T>
WINDOWKV_KERNEL_INLINE void RunItems(const Args<T>& a, int64_t begin, int64_t end) {
  const int64_t group = a.num_heads / a.num_kv_heads;
  const int64_t stride = PartialStride(a.head_dim);
  for (int64_t i = begin; i < end; ++i) {
    const PagedAttention::Item& item = a.items[i];
    const T* q = a.q + item.sequence * a.q_stride + item.kv_head * group * a.head_dim;
    float* partial = a.partials + i * group * stride;
    int64_t left = group;
    for (; left >= kMaxHeads; left -= kMaxHeads) {
      Heads::template Run<kMaxHeads>(a, item, q, partial);
      q += kMaxHeads * a.head_dim;
      partial += kMaxHeads * stride;
    }
    if (left == 3) Heads::template Run<3>(a, item, q, partial);
    if (left == 2) Heads::template Run<2>(a, item, q, partial);
    if (left == 1) Heads::template Run<1>(a, item, q, partial);
  }
}

template <typename T>
struct VectorBody {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, int64_t begin, int64_t end) {
    RunItems<VectorHeads>(a, begin, end);
  }
};

WINDOWKV_TARGET_AVX512 void RunTiles(const Args<c10::BFloat16>& a, int64_t begin, int64_t end) {
  AmxBegin();
  RunItems<TileHeads>(a, begin, end);
  AmxEnd();
}

// out = the weighted sums of one head's parts, `part_stride` floats apart, over their common sum.
// Adds up in the first part.
template <typename T>
WINDOWKV_KERNEL_INLINE void MergeHead(float* first, int64_t num_parts, int64_t part_stride,
                                      int64_t head_dim, T* out) {
  float maximum = first[head_dim];
  for (int64_t p = 1; p < num_parts; ++p) {
    maximum = std::max(maximum, first[p * part_stride + head_dim]);
  }
  float sum = 0;
  for (int64_t p = 0; p < num_parts; ++p) {
    const float* part = first + p * part_stride;
    const float weight = std::exp(part[head_dim] - maximum);
    sum += part[head_dim + 1] * weight;
    for (int64_t d = 0; d < head_dim; ++d) first[d] = (p == 0 ? 0 : first[d]) + part[d] * weight;
  }
  const float inverse = 1.0f / sum;
  for (int64_t d = 0; d < head_dim; ++d) out[d] = static_cast<T>(first[d] * inverse);
}

// Merges the parts of each sequence and head; a part's first item does the work for all of them.
template <typename T>
struct MergeBody {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, int64_t begin, int64_t end) {
    const int64_t group = a.num_heads / a.num_kv_heads;
    const int64_t stride = PartialStride(a.head_dim);
    for (int64_t i = begin; i < end; ++i) {
      const PagedAttention::Item& item = a.items[i];
      if (item.part != 0) continue;
      const int64_t head = item.sequence * a.num_heads + item.kv_head * group;
      for (int64_t h = 0; h < group; ++h) {
        MergeHead(a.partials + (i * group + h) * stride, item.num_parts, group * stride, a.head_dim,
                  a.out + (head + h) * a.head_dim);
      }
    }
  }
};

template <typename T>
void RunAttend(const Args<T>& args, int64_t num_items) {
  if constexpr (std::is_same_v<T, c10::BFloat16>) {
    // The choice depends on the shape alone: a sequence is computed alike in any batch.
    if (HasAmxBfloat16() && args.head_dim % kAmxDepth == 0 && args.block_size % kAmxRows == 0) {
      return ParallelRange<Args<T>>(&RunTiles, args, num_items, /*grain=*/1);
    }
  }
  ParallelKernel<VectorBody<T>>(args, num_items, /*grain=*/1);
}

std::vector<PagedAttention::Item> SplitWork(const PagedCaches& caches, int64_t batch,
                                            int64_t num_kv_heads) {
  std::vector<PagedAttention::Item> items;
  for (int64_t s = 0; s < batch; ++s) {
    const int32_t length = caches.lengths[s];
    const int32_t parts = (length + kSplitTokens - 1) / kSplitTokens;
    for (int32_t head = 0; head < num_kv_heads; ++head) {
      for (int32_t part = 0; part < parts; ++part) {
        items.push_back({static_cast<int32_t>(s), head, part * kSplitTokens,
                         std::min(length, (part + 1) * kSplitTokens), parts, part});
      }
    }
  }
  return items;
}

}  // namespace

void PagedAttention::RunCpu(const at::Tensor& q, const at::Tensor& pool, const PagedCaches& caches,
                            int64_t num_heads, float scale, at::Tensor& out) {
  const int64_t num_kv_heads = pool.size(2);
  const int64_t head_dim = pool.size(4);
  items_ = SplitWork(caches, q.size(0), num_kv_heads);
  const size_t num_items = items_.size();
  const size_t needed = num_items * (num_heads / num_kv_heads) * PartialStride(head_dim);
  if (partials_.size() < needed) partials_.resize(needed);
  DispatchDtype(q.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const Args<T> args{q.const_data_ptr<T>(),
                       q.stride(0),
                       pool.const_data_ptr<T>(),
                       out.mutable_data_ptr<T>(),
                       caches,
                       items_.data(),
                       partials_.data(),
                       num_heads,
                       num_kv_heads,
                       head_dim,
                       pool.size(3),
                       scale};
    RunAttend(args, num_items);
    ParallelKernel<MergeBody<T>>(args, num_items, /*grain=*/16);
  });
}

}  // namespace windowkv
