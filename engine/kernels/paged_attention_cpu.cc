#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/dispatch.h"
#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

constexpr int32_t kSplitTokens = 512;
constexpr int kMaxHeads = 4;        // query heads handled together; larger groups take turns
constexpr int64_t kMaxTokens = 64;  // scores held at once

template <typename T>
struct Args {
  const T* q;
  int64_t q_stride;
  const T* pool;
  T* out;
  const PagedSequence* sequences;
  const PagedAttention::Item* items;
  float* partials;  // per item: group * PartialStride floats
  int64_t num_heads;
  int64_t num_kv_heads;
  int64_t head_dim;
  int64_t block_size;
  float scale;
};

// Of one query head: weighted sum of values, scaled query, maximum, sum.
WINDOWKV_KERNEL_INLINE int64_t PartialStride(int64_t head_dim) { return 2 * head_dim + 2; }

// Running softmax of a few query heads: `acc` is the weighted sum of values relative to `maximum`.
struct Softmax {
  float* acc[kMaxHeads];
  float maximum[kMaxHeads];
  float sum[kMaxHeads];
};

// Lane sums of q[h] * key over whole lanes, not added up yet.
template <int kHeads, typename T>
WINDOWKV_KERNEL_INLINE void Products(const float* const (&q)[kHeads], const T* key, int64_t whole,
                                     Vec (&acc)[kHeads]) {
  for (int h = 0; h < kHeads; ++h) acc[h] = Vec{};
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vec k = Load(key + i);
    for (int h = 0; h < kHeads; ++h) acc[h] += Load(q[h] + i) * k;
  }
}

// scores[h][t] = q[h] . key[t] for `count` tokens, padded with -inf to whole lanes.
template <int kHeads, typename T>
WINDOWKV_KERNEL_INLINE void Scores(const float* const (&q)[kHeads], const T* keys, int64_t count,
                                   int64_t head_dim, float (*scores)[kMaxTokens]) {
  const int64_t whole = head_dim / kLanes * kLanes;
  Vec acc[kHeads];
  int64_t t = 0;
  for (; whole == head_dim && t + kLanes <= count; t += kLanes) {
    Vec sixteen[kHeads][kLanes];
    for (int64_t j = 0; j < kLanes; ++j) {
      Products<kHeads>(q, keys + (t + j) * head_dim, whole, acc);
      for (int h = 0; h < kHeads; ++h) sixteen[h][j] = acc[h];
    }
    for (int h = 0; h < kHeads; ++h) Store(scores[h] + t, SumEach(sixteen[h]));
  }
  for (; t < count; ++t) {
    const T* key = keys + t * head_dim;
    Products<kHeads>(q, key, whole, acc);
    for (int h = 0; h < kHeads; ++h) {
      scores[h][t] = Sum(acc[h]);
      for (int64_t i = whole; i < head_dim; ++i) scores[h][t] += q[h][i] * float(key[i]);
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    for (t = count; t % kLanes != 0; ++t) scores[h][t] = -std::numeric_limits<float>::infinity();
  }
}

// Turns scores into weights and rescales what was summed so far.
template <int kHeads>
WINDOWKV_KERNEL_INLINE void UpdateSoftmax(int64_t count, int64_t head_dim,
                                          float (*scores)[kMaxTokens], Softmax& softmax) {
  for (int h = 0; h < kHeads; ++h) {
    Vec maxima = Splat(softmax.maximum[h]);
    for (int64_t t = 0; t < count; t += kLanes) {
      const Vec s = Load(scores[h] + t);
      maxima = s > maxima ? s : maxima;
    }
    const float maximum = Max(maxima);
    const float correction =
        maximum == softmax.maximum[h] ? 1.0f : std::exp(softmax.maximum[h] - maximum);
    Vec sums = {};
    for (int64_t t = 0; t < count; t += kLanes) {
      const Vec s = Load(scores[h] + t);
      const Vec weights = s == -std::numeric_limits<float>::infinity() ? Vec{} : Exp(s - maximum);
      Store(scores[h] + t, weights);
      sums += weights;
    }
    softmax.sum[h] = softmax.sum[h] * correction + Sum(sums);
    softmax.maximum[h] = maximum;
    if (correction == 1.0f) continue;
    for (int64_t i = 0; i < head_dim; ++i) softmax.acc[h][i] *= correction;
  }
}

template <int kHeads, typename T>
WINDOWKV_KERNEL_INLINE void AddValues(const T* values, int64_t count, int64_t head_dim,
                                      const float (*weights)[kMaxTokens], Softmax& softmax) {
  const int64_t whole = head_dim / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    Vec acc[kHeads];
    for (int h = 0; h < kHeads; ++h) acc[h] = Load(softmax.acc[h] + i);
    for (int64_t t = 0; t < count; ++t) {
      const Vec v = Load(values + t * head_dim + i);
      for (int h = 0; h < kHeads; ++h) acc[h] += weights[h][t] * v;
    }
    for (int h = 0; h < kHeads; ++h) Store(softmax.acc[h] + i, acc[h]);
  }
  for (int64_t i = whole; i < head_dim; ++i) {
    for (int h = 0; h < kHeads; ++h) {
      for (int64_t t = 0; t < count; ++t) {
        softmax.acc[h][i] += weights[h][t] * float(values[t * head_dim + i]);
      }
    }
  }
}

// kHeads query heads, from `head` within the group, over one item.
template <int kHeads, typename T>
WINDOWKV_KERNEL_INLINE void Attend(const Args<T>& a, const PagedAttention::Item& item,
                                   int64_t head_in_group, float* partial) {
  const int64_t group = a.num_heads / a.num_kv_heads;
  const int64_t head = item.kv_head * group + head_in_group;
  const T* query = a.q + item.sequence * a.q_stride + head * a.head_dim;
  const float* q[kHeads];
  Softmax softmax;
  for (int h = 0; h < kHeads; ++h) {
    softmax.acc[h] = partial + (head_in_group + h) * PartialStride(a.head_dim);
    float* scaled = softmax.acc[h] + a.head_dim;
    for (int64_t i = 0; i < a.head_dim; ++i) {
      scaled[i] = float(query[h * a.head_dim + i]) * a.scale;
    }
    q[h] = scaled;
    softmax.maximum[h] = -std::numeric_limits<float>::infinity();
    softmax.sum[h] = 0;
    std::fill_n(softmax.acc[h], a.head_dim, 0.0f);
  }
  const int64_t head_elements = a.block_size * a.head_dim;
  const int64_t block_elements = 2 * a.num_kv_heads * head_elements;
  const int32_t* blocks = a.sequences[item.sequence].blocks;
  float scores[kHeads][kMaxTokens];
  for (int64_t token = item.begin; token < item.end;) {
    const int64_t slot = token % a.block_size;
    const int64_t count =
        std::min({a.block_size - slot, static_cast<int64_t>(item.end) - token, kMaxTokens});
    const T* keys = a.pool + blocks[token / a.block_size] * block_elements +
                    item.kv_head * head_elements + slot * a.head_dim;
    const T* values = keys + a.num_kv_heads * head_elements;
    Scores<kHeads>(q, keys, count, a.head_dim, scores);
    UpdateSoftmax<kHeads>(count, a.head_dim, scores, softmax);
    AddValues<kHeads>(values, count, a.head_dim, scores, softmax);
    token += count;
  }
  for (int h = 0; h < kHeads; ++h) {
    softmax.acc[h][2 * a.head_dim] = softmax.maximum[h];
    softmax.acc[h][2 * a.head_dim + 1] = softmax.sum[h];
  }
}

template <typename T>
struct AttendBody {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, int64_t begin, int64_t end) {
    const int64_t group = a.num_heads / a.num_kv_heads;
    for (int64_t i = begin; i < end; ++i) {
      float* partial = a.partials + i * group * PartialStride(a.head_dim);
      int64_t head = 0;
      for (; head + kMaxHeads <= group; head += kMaxHeads) {
        Attend<kMaxHeads>(a, a.items[i], head, partial);
      }
      switch (group - head) {
        case 3:
          Attend<3>(a, a.items[i], head, partial);
          break;
        case 2:
          Attend<2>(a, a.items[i], head, partial);
          break;
        case 1:
          Attend<1>(a, a.items[i], head, partial);
          break;
      }
    }
  }
};

// Merges the parts of each sequence and head; a part's first item does the work for all of them.
template <typename T>
struct MergeBody {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, int64_t begin, int64_t end) {
    const int64_t group = a.num_heads / a.num_kv_heads;
    const int64_t stride = PartialStride(a.head_dim);
    for (int64_t i = begin; i < end; ++i) {
      const PagedAttention::Item& item = a.items[i];
      if (item.part != 0) continue;
      for (int64_t h = 0; h < group; ++h) {
        const float* first = a.partials + (i * group + h) * stride;
        float maximum = -std::numeric_limits<float>::infinity();
        for (int p = 0; p < item.num_parts; ++p) {
          maximum = std::max(maximum, first[p * group * stride + 2 * a.head_dim]);
        }
        float sum = 0;
        for (int p = 0; p < item.num_parts; ++p) {
          const float* part = first + p * group * stride;
          sum += part[2 * a.head_dim + 1] * std::exp(part[2 * a.head_dim] - maximum);
        }
        T* out = a.out + (item.sequence * a.num_heads + item.kv_head * group + h) * a.head_dim;
        for (int64_t d = 0; d < a.head_dim; ++d) {
          float value = 0;
          for (int p = 0; p < item.num_parts; ++p) {
            const float* part = first + p * group * stride;
            value += part[d] * std::exp(part[2 * a.head_dim] - maximum);
          }
          out[d] = static_cast<T>(value / sum);
        }
      }
    }
  }
};

std::vector<PagedAttention::Item> SplitWork(const std::vector<PagedSequence>& sequences,
                                            int64_t num_kv_heads) {
  std::vector<PagedAttention::Item> items;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const int32_t length = sequences[s].length;
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

void PagedAttention::Run(const at::Tensor& q, const at::Tensor& pool,
                         const std::vector<PagedSequence>& sequences, int64_t num_heads,
                         float scale, at::Tensor& out) {
  const int64_t num_kv_heads = pool.size(2);
  const int64_t head_dim = pool.size(4);
  items_ = SplitWork(sequences, num_kv_heads);
  const size_t num_items = items_.size();
  const size_t needed = num_items * (num_heads / num_kv_heads) * PartialStride(head_dim);
  if (partials_.size() < needed) partials_.resize(needed);
  DispatchDtype(q.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const Args<T> args{q.const_data_ptr<T>(),
                       q.stride(0),
                       pool.const_data_ptr<T>(),
                       out.mutable_data_ptr<T>(),
                       sequences.data(),
                       items_.data(),
                       partials_.data(),
                       num_heads,
                       num_kv_heads,
                       head_dim,
                       pool.size(3),
                       scale};
    ParallelKernel<AttendBody<T>>(args, num_items, /*grain=*/1);
    ParallelKernel<MergeBody<T>>(args, num_items, /*grain=*/16);
  });
}

}  // namespace windowkv
