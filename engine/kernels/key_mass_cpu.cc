#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "engine/kernels/amx_products.h"
#include "engine/kernels/attention_tile.h"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/key_mass.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <typename T>
struct Args {
  const T* q;
  const T* k;
  float* logsumexp;
  float* mass;  // null while logsumexp is computed
  int64_t rows;
  int64_t tokens;
  int64_t columns;  // of mass
  int64_t q_stride;
  int64_t k_stride;
  int64_t group;
  int64_t head_dim;
  float scale;
};

// One block of sixteen queries of one head.
template <typename T>
struct Block {
  const Args<T>& a;
  int64_t head;
  int64_t row;  // first
  int64_t rows = std::min(kLanes, a.rows - row);
  // Keys that the block's first query does not see begin here.
  int64_t diagonal = a.tokens - a.rows + row + 1;

  WINDOWKV_KERNEL_INLINE const T* Queries() const {
    return a.q + row * a.q_stride + head * a.head_dim;
  }
  WINDOWKV_KERNEL_INLINE const T* Keys(int64_t key) const {
    return a.k + key * a.k_stride + head / a.group * a.head_dim;
  }
  // One past the last key that any of the queries sees.
  WINDOWKV_KERNEL_INLINE int64_t end() const { return diagonal + rows - 1; }
  // The products of `key`, -inf for queries before it.
  WINDOWKV_KERNEL_INLINE Vec Masked(Vec products, int64_t key) const {
    const Vec logits = products * a.scale;
    if (key < diagonal) return logits;
    Vec lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const auto first = static_cast<float>(key - diagonal + 1);
    return lane >= first ? logits : Vec{} - kInfinity;
  }
};

// e^x, 0 for -inf.
WINDOWKV_KERNEL_INLINE Vec ExpOrZero(Vec x) { return x == -kInfinity ? Vec{} : Exp(x); }

// A running maximum and sum per query, as in online softmax.
template <typename T, typename Tile>
WINDOWKV_KERNEL_INLINE void LogSumExpBlock(const Block<T>& block, const Tile& tile) {
  alignas(64) float products[kTileKeys * kLanes];
  Vec maximum = Vec{} - kInfinity;
  Vec sum = {};
  for (int64_t key = 0; key < block.end(); key += kTileKeys) {
    const int64_t count = std::min(kTileKeys, block.end() - key);
    tile.Compute(block.Keys(key), block.a.k_stride, count, products);
    Vec largest = maximum;
    for (int64_t j = 0; j < count; ++j) {
      const Vec logits = block.Masked(Load(products + j * kLanes), key + j);
      Store(products + j * kLanes, logits);
      largest = logits > largest ? logits : largest;
    }
    sum *= ExpOrZero(maximum == -kInfinity ? maximum : maximum - largest);
    maximum = largest;
    for (int64_t j = 0; j < count; ++j) {
      const Vec logits = Load(products + j * kLanes);
      sum += ExpOrZero(logits == -kInfinity ? logits : logits - maximum);
    }
  }
  float* out = block.a.logsumexp + block.head * block.a.rows + block.row;
  for (int64_t i = 0; i < block.rows; ++i) out[i] = maximum[i] + std::log(sum[i]);
}

template <typename T, typename Tile>
WINDOWKV_KERNEL_INLINE void MassBlock(const Block<T>& block, const Tile& tile) {
  alignas(64) float products[kTileKeys * kLanes];
  Vec logsumexp = Vec{} + kInfinity;  // a missing query gives no weight
  const float* known = block.a.logsumexp + block.head * block.a.rows + block.row;
  for (int64_t i = 0; i < block.rows; ++i) logsumexp[i] = known[i];
  float* mass = block.a.mass + block.head * block.a.columns;
  const int64_t end = std::min(block.end(), block.a.columns);
  for (int64_t key = 0; key < end; key += kTileKeys) {
    const int64_t count = std::min(kTileKeys, end - key);
    tile.Compute(block.Keys(key), block.a.k_stride, count, products);
    for (int64_t first = 0; first < count; first += kLanes) {
      Vec weights[kLanes] = {};
      const int64_t some = std::min(kLanes, count - first);
      for (int64_t j = 0; j < some; ++j) {
        const Vec logits = block.Masked(Load(products + (first + j) * kLanes), key + first + j);
        weights[j] = ExpOrZero(logits - logsumexp);
      }
      const Vec sums = SumEach(weights);
      for (int64_t j = 0; j < some; ++j) mass[key + first + j] += sums[j];
    }
  }
}

template <typename Tile, typename T>
WINDOWKV_KERNEL_INLINE void RunHeads(const Args<T>& a, int64_t begin, int64_t end) {
  for (int64_t head = begin; head < end; ++head) {
    for (int64_t row = 0; row < a.rows; row += kLanes) {
      const Block<T> block{a, head, row};
      const Tile tile(block.Queries(), a.q_stride, block.rows, a.head_dim);
      if (a.mass == nullptr) {
        LogSumExpBlock(block, tile);
      } else {
        MassBlock(block, tile);
      }
    }
  }
}

template <typename T>
struct VectorBody {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, int64_t begin, int64_t end) {
    RunHeads<VectorTile<T>>(a, begin, end);
  }
};

WINDOWKV_TARGET_AVX512 void RunAmx(const Args<c10::BFloat16>& a, int64_t begin, int64_t end) {
  AmxBegin();
  RunHeads<AmxTile>(a, begin, end);
  AmxEnd();
}

void Run(const at::Tensor& q, const at::Tensor& k, float scale, float* logsumexp, float* mass,
         int64_t columns) {
  DispatchDtype(q.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const Args<T> args{q.const_data_ptr<T>(),
                       k.const_data_ptr<T>(),
                       logsumexp,
                       mass,
                       q.size(0),
                       k.size(0),
                       columns,
                       q.stride(0),
                       k.stride(0),
                       q.size(1) / k.size(1),
                       q.size(2),
                       scale};
    const int64_t heads = q.size(1);
    if constexpr (std::is_same_v<T, c10::BFloat16>) {
      if (HasAmxBfloat16() && args.head_dim % kAmxDepth == 0) {
        return ParallelRange<Args<T>>(&RunAmx, args, heads, /*grain=*/1);
      }
    }
    ParallelKernel<VectorBody<T>>(args, heads, /*grain=*/1);
  });
}

}  // namespace

void RowLogSumExpCpu(const at::Tensor& q, const at::Tensor& k, float scale, at::Tensor& logsumexp) {
  Run(q, k, scale, logsumexp.mutable_data_ptr<float>(), nullptr, 0);
}

void KeyMassCpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& logsumexp, float scale,
                at::Tensor& mass) {
  // Only read while mass is computed.
  auto* known = const_cast<float*>(logsumexp.const_data_ptr<float>());
  Run(q, k, scale, known, mass.mutable_data_ptr<float>(), mass.size(1));
}

}  // namespace windowkv
