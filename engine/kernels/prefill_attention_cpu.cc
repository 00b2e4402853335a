#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

#include "engine/kernels/amx_products.h"
#include "engine/kernels/dispatch.h"
#include "engine/kernels/exp.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/prefill_attention.h"
#include "engine/kernels/prefill_attention_math.h"
#include "engine/kernels/vec.h"

namespace windowkv {
namespace {

constexpr float kLn2 = std::numbers::ln2_v<float>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Tiles of queries that take turns on one block of keys and values: enough to make up for preparing
// the block, few enough for their sums to stay in the cache.
constexpr int64_t kTilesPerItem = 12;

template <typename T>
struct Args {
  const T* q;
  const T* k;
  const T* v;
  T* out;
  float* logsumexp;  // or null
  int64_t q_stride;
  int64_t k_stride;
  int64_t v_stride;
  int64_t out_stride;
  int64_t rows;
  int64_t tokens;
  int64_t group;
  int64_t head_dim;
  float scale;        // of the products, in powers of two
  int64_t item_rows;  // of one item; a multiple of kLanes
  int64_t row_items;
};

// Sixteen queries of one head, and their softmax so far.
template <typename Math>
struct QueryTile {
  typename Math::PackedQueries q;
  std::vector<float> sums;  // [head_dim, kLanes] weighted values, relative to `maximum`
  float maximum[kLanes];    // of the scaled products, in powers of two
  float denominator[kLanes];
  int64_t head;
  int64_t row;       // first
  int64_t rows;      // at most kLanes
  int64_t diagonal;  // keys that the first query does not see begin here

  // One past the last key that any of the queries sees.
  int64_t end() const { return diagonal + rows - 1; }
};

// Products that a query may not see become -inf.
WINDOWKV_KERNEL_INLINE void MaskFuture(int64_t key, int64_t count, int64_t diagonal,
                                       float* products) {
  const Vec lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (int64_t j = std::max<int64_t>(0, diagonal - key); j < count; ++j) {
    const auto first = static_cast<float>(key + j - diagonal + 1);
    const Vec product = Load(products + j * kLanes);
    Store(products + j * kLanes, lane >= first ? product : Vec{} - kInfinity);
  }
}

// 2^x for x <= 0, and 0 where a future key is masked.
template <bool kMasked>
WINDOWKV_KERNEL_INLINE Vec Weight(Vec x) {
  if constexpr (kMasked) return x == -kInfinity ? Vec{} : Exp2OfNonPositive(x);
  return Exp2OfNonPositive(x);
}

// Turns products into weights relative to `maximum`; returns their sum.
template <bool kMasked, typename Math>
WINDOWKV_KERNEL_INLINE Vec SetAllWeights(const float* products, int64_t count, float scale,
                                         Vec maximum, typename Math::Weights& weights) {
  Vec even_sum = {};
  Vec odd_sum = {};
  int64_t j = 0;
  for (; j + 1 < count; j += 2) {
    const Vec even = Weight<kMasked>(Load(products + j * kLanes) * scale - maximum);
    const Vec odd = Weight<kMasked>(Load(products + (j + 1) * kLanes) * scale - maximum);
    even_sum += even;
    odd_sum += odd;
    Math::SetWeights(j, even, odd, weights);
  }
  if (j < count) {
    const Vec even = Weight<kMasked>(Load(products + j * kLanes) * scale - maximum);
    even_sum += even;
    Math::SetWeights(j, even, Vec{}, weights);
  }
  return even_sum + odd_sum;
}

// Takes the products of keys [key, key + count) into the tile's softmax: turns them into weights
// and rescales what was summed before.
template <typename Math>
WINDOWKV_KERNEL_INLINE void UpdateSoftmax(int64_t key, int64_t count, float scale, float* products,
                                          QueryTile<Math>& tile, typename Math::Weights& weights) {
  const bool masked = key + count > tile.diagonal;
  if (masked) MaskFuture(key, count, tile.diagonal, products);
  Vec largest = Vec{} - kInfinity;
  for (int64_t j = 0; j < count; ++j) {
    const Vec product = Load(products + j * kLanes);
    largest = product > largest ? product : largest;
  }
  largest *= scale;
  const Vec former = Load(tile.maximum);
  const Vec maximum = largest > former ? largest : former;
  Vec denominator = Load(tile.denominator);
  if (key > 0 && Max(maximum - former) > 0) {
    const Vec correction = Exp2OfNonPositive(former - maximum);
    denominator *= correction;
    for (size_t d = 0; d < tile.sums.size(); d += kLanes) {
      Store(tile.sums.data() + d, Load(tile.sums.data() + d) * correction);
    }
  }
  denominator += masked ? SetAllWeights<true, Math>(products, count, scale, maximum, weights)
                        : SetAllWeights<false, Math>(products, count, scale, maximum, weights);
  Store(tile.maximum, maximum);
  Store(tile.denominator, denominator);
}

template <typename T, typename Math>
WINDOWKV_KERNEL_INLINE void WriteTile(const Args<T>& a, const QueryTile<Math>& tile) {
  for (int64_t i = 0; i < tile.rows; ++i) {
    T* out = a.out + (tile.row + i) * a.out_stride + tile.head * a.head_dim;
    const float factor = 1.0f / tile.denominator[i];
    for (int64_t d = 0; d < a.head_dim; ++d) out[d] = T(tile.sums[d * kLanes + i] * factor);
    if (a.logsumexp == nullptr) continue;
    a.logsumexp[tile.head * a.rows + tile.row + i] =
        tile.maximum[i] * kLn2 + std::log(tile.denominator[i]);
  }
}

// The tiles of one item: some rows of all query heads that read one KV head.
template <typename T, typename Math>
WINDOWKV_KERNEL_INLINE void StartTiles(const Args<T>& a, int64_t kv_head, int64_t begin,
                                       int64_t end, const Math& math,
                                       std::vector<QueryTile<Math>>& tiles) {
  const int64_t row_tiles = (end - begin + kLanes - 1) / kLanes;
  tiles.resize(a.group * row_tiles);
  for (int64_t i = 0; i < a.group * row_tiles; ++i) {
    QueryTile<Math>& tile = tiles[i];
    tile.head = kv_head * a.group + i / row_tiles;
    tile.row = begin + i % row_tiles * kLanes;
    tile.rows = std::min(kLanes, end - tile.row);
    tile.diagonal = a.tokens - a.rows + tile.row + 1;
    std::fill_n(tile.maximum, kLanes, -kInfinity);
    std::fill_n(tile.denominator, kLanes, 0.0f);
    tile.sums.assign(a.head_dim * kLanes, 0.0f);
    math.Pack(a.q + tile.row * a.q_stride + tile.head * a.head_dim, a.q_stride, tile.rows, tile.q);
  }
}

// Takes a block's keys [key, key + count) into every tile that sees some of them. A tile's products
// are made one turn before its softmax needs them, and its values are added one turn later: matrix
// tiles cannot be loaded from memory that is still being stored.
template <typename Math>
WINDOWKV_KERNEL_INLINE void AddBlock(int64_t key, int64_t count, float scale, const Math& math,
                                     const std::vector<QueryTile<Math>*>& tiles) {
  alignas(64) float products[2][kBlockKeys * kLanes];
  typename Math::Weights weights[2];
  const auto seen = [=](const QueryTile<Math>& tile) { return std::min(count, tile.end() - key); };
  const auto turns = static_cast<int64_t>(tiles.size()) + 2;
  for (int64_t turn = 0; turn < turns; ++turn) {
    if (turn < turns - 2) math.Products(tiles[turn]->q, seen(*tiles[turn]), products[turn % 2]);
    if (turn > 0 && turn < turns - 1) {
      QueryTile<Math>& tile = *tiles[turn - 1];
      UpdateSoftmax<Math>(key, seen(tile), scale, products[(turn - 1) % 2], tile,
                          weights[(turn - 1) % 2]);
    }
    if (turn > 1) {
      QueryTile<Math>& tile = *tiles[turn - 2];
      math.AddValues(weights[turn % 2], seen(tile), tile.sums.data());
    }
  }
}

template <typename Math, typename T>
WINDOWKV_KERNEL_INLINE void RunItems(const Args<T>& a, int64_t first_item, int64_t last_item) {
  std::vector<QueryTile<Math>> tiles;
  std::vector<QueryTile<Math>*> seeing;
  Math math(a.head_dim);
  for (int64_t item = first_item; item < last_item; ++item) {
    const int64_t kv_head = item / a.row_items;
    const int64_t begin = item % a.row_items * a.item_rows;
    const int64_t end = std::min(a.rows, begin + a.item_rows);
    StartTiles(a, kv_head, begin, end, math, tiles);
    const int64_t keys = a.tokens - a.rows + end;
    for (int64_t key = 0; key < keys; key += kBlockKeys) {
      const int64_t count = std::min(kBlockKeys, keys - key);
      math.SetBlock(a.k + key * a.k_stride + kv_head * a.head_dim, a.k_stride,
                    a.v + key * a.v_stride + kv_head * a.head_dim, a.v_stride, count);
      seeing.clear();
      for (QueryTile<Math>& tile : tiles) {
        if (key < tile.end()) seeing.push_back(&tile);
      }
      AddBlock(key, count, a.scale, math, seeing);
    }
    for (const QueryTile<Math>& tile : tiles) WriteTile(a, tile);
  }
}

template <typename T>
struct VectorBody {
  WINDOWKV_KERNEL_INLINE static void Run(const Args<T>& a, int64_t begin, int64_t end) {
    RunItems<VectorAttentionMath<T>>(a, begin, end);
  }
};

WINDOWKV_TARGET_AVX512 void RunAmx(const Args<c10::BFloat16>& a, int64_t begin, int64_t end) {
  AmxBegin();
  RunItems<AmxAttentionMath>(a, begin, end);
  AmxEnd();
}

// Few rows are cut small enough that every thread gets some.
int64_t ItemRows(int64_t rows, int64_t group, int64_t kv_heads) {
  const int64_t most = std::max<int64_t>(1, kTilesPerItem / group);
  const int64_t per_thread = rows * kv_heads / (kLanes * 2 * KernelThreads());
  return kLanes * std::clamp<int64_t>(per_thread, 1, most);
}

}  // namespace

void PrefillAttentionCpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, float scale,
                         at::Tensor& out, at::Tensor* logsumexp) {
  DispatchDtype(q.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const int64_t rows = q.size(0);
    const int64_t kv_heads = k.size(1);
    const int64_t group = q.size(1) / kv_heads;
    const int64_t item_rows = ItemRows(rows, group, kv_heads);
    const Args<T> args{q.const_data_ptr<T>(),
                       k.const_data_ptr<T>(),
                       v.const_data_ptr<T>(),
                       out.mutable_data_ptr<T>(),
                       logsumexp == nullptr ? nullptr : logsumexp->mutable_data_ptr<float>(),
                       q.stride(0),
                       k.stride(0),
                       v.stride(0),
                       out.stride(0),
                       rows,
                       k.size(0),
                       group,
                       q.size(2),
                       scale / kLn2,
                       item_rows,
                       (rows + item_rows - 1) / item_rows};
    const int64_t items = kv_heads * args.row_items;
    if constexpr (std::is_same_v<T, c10::BFloat16>) {
      if (HasAmxBfloat16() && args.head_dim % kAmxDepth == 0) {
        return ParallelItems<Args<T>>(&RunAmx, args, items);
      }
    }
    static const RangeFunction<Args<T>> run = SelectVariant<VectorBody<T>, Args<T>>();
    ParallelItems<Args<T>>(run, args, items);
  });
}

}  // namespace windowkv
