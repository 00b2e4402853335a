#include "engine/kernels/paged_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/engine/kernels/kernel_test.h"
#include "tests/engine/kernels/one_thread.h"

namespace windowkv {
namespace {

struct Shape {
  int64_t num_kv_heads;
  int64_t group;  // query heads per KV head
  int64_t head_dim;
  int64_t block_size;
};

// Lengths around lanes, blocks and the parts that long caches are split into.
const std::vector<int32_t> kLengths = {1, 15, 16, 17, 511, 512, 513, 1500};

class PagedAttentionTest : public KernelTest {
 protected:
  void TearDown() override { at::set_num_threads(threads_); }

  // Sequences in shuffled blocks of one pool. Slots beyond a sequence's length hold no numbers.
  struct Cache {
    at::Tensor pool;
    std::vector<std::vector<int32_t>> blocks;
    std::vector<int32_t> lengths;
  };

  Cache MakeCache(const Shape& shape, const std::vector<int32_t>& lengths) {
    Cache cache;
    int64_t total = 0;
    for (int32_t length : lengths) total += BlocksFor(length, shape.block_size);
    std::vector<int32_t> ids(total);
    std::iota(ids.begin(), ids.end(), 0);
    std::shuffle(ids.begin(), ids.end(), random_);
    cache.pool = Random({total, 2, shape.num_kv_heads, shape.block_size, shape.head_dim});
    auto next = ids.begin();
    for (int32_t length : lengths) {
      const int64_t count = BlocksFor(length, shape.block_size);
      cache.blocks.emplace_back(next, next + count);
      next += count;
      const int64_t in_last = length - (count - 1) * shape.block_size;
      cache.pool.select(0, cache.blocks.back().back())
          .slice(2, in_last)
          .fill_(std::numeric_limits<double>::quiet_NaN());
    }
    cache.lengths = lengths;
    return cache;
  }

  static int64_t BlocksFor(int32_t length, int64_t block_size) {
    return (length + block_size - 1) / block_size;
  }

  // Keys (plane 0) or values (plane 1) in order: [num_kv_heads, length, head_dim] float64.
  static at::Tensor Gather(const Cache& cache, size_t s, int64_t plane) {
    std::vector<int64_t> ids(cache.blocks[s].begin(), cache.blocks[s].end());
    const at::Tensor index = at::from_blob(ids.data(), {static_cast<int64_t>(ids.size())},
                                           at::TensorOptions().dtype(at::kLong));
    const at::Tensor planes =
        cache.pool.select(1, plane).index_select(0, index.to(cache.pool.device()));
    return planes.permute({1, 0, 2, 3})
        .reshape({planes.size(1), -1, planes.size(3)})
        .slice(1, 0, cache.lengths[s])
        .to(at::kDouble);
  }

  // q: [batch, num_heads * head_dim]
  static at::Tensor Expected(const at::Tensor& q, const Cache& cache, const Shape& shape,
                             double scale) {
    const OneThread one_thread;
    at::Tensor out = at::empty(q.sizes(), q.options().dtype(at::kDouble));
    for (size_t s = 0; s < cache.lengths.size(); ++s) {
      const at::Tensor queries = q.select(0, static_cast<int64_t>(s))
                                     .to(at::kDouble)
                                     .reshape({shape.num_kv_heads, shape.group, shape.head_dim});
      const at::Tensor weights =
          (queries.matmul(Gather(cache, s, 0).transpose(1, 2)) * scale).softmax(-1);
      out.select(0, static_cast<int64_t>(s))
          .copy_(weights.matmul(Gather(cache, s, 1)).reshape({-1}));
    }
    return out;
  }

  at::Tensor Attend(const at::Tensor& q, const Cache& cache, const Shape& shape, float scale) {
    const int64_t num_heads = shape.num_kv_heads * shape.group;
    size_t stride = 0;
    for (const auto& blocks : cache.blocks) stride = std::max(stride, blocks.size());
    std::vector<int32_t> rows;
    for (const auto& blocks : cache.blocks) {
      rows.insert(rows.end(), blocks.begin(), blocks.end());
      rows.resize((rows.size() + stride - 1) / stride * stride, -1);
    }
    const at::Tensor lengths = Ints(cache.lengths);
    const at::Tensor tables = Ints(rows);
    const at::Tensor table_stride = Ints({static_cast<int32_t>(stride)});
    at::Tensor out = Empty({q.size(0), num_heads * shape.head_dim});
    attention_.Run(q, cache.pool,
                   {lengths.const_data_ptr<int32_t>(), tables.const_data_ptr<int32_t>(),
                    table_stride.const_data_ptr<int32_t>(), /*first_row=*/0},
                   num_heads, scale, out);
    return out;
  }

  void ExpectAttends(const Shape& shape) {
    if (OnCuda() && !HasPagedAttentionCuda(shape.head_dim, GetParam().dtype)) return;
    SCOPED_TRACE("head_dim " + std::to_string(shape.head_dim) + ", group " +
                 std::to_string(shape.group) + ", block " + std::to_string(shape.block_size));
    const Cache cache = MakeCache(shape, kLengths);
    const int64_t width = shape.num_kv_heads * shape.group * shape.head_dim;
    const auto batch = static_cast<int64_t>(kLengths.size());
    // Queries are the first columns of a wider projection.
    const at::Tensor q = (Random({batch, width + 24}) * 3).slice(1, 0, width);
    const float scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
    ExpectClose(Attend(q, cache, shape, scale), Expected(q, cache, shape, scale), 5e-6);
  }

  PagedAttention attention_;
  const int threads_ = at::get_num_threads();
};

TEST_P(PagedAttentionTest, EqualsDenseAttentionOverTheGatheredCache) {
  const std::vector<int64_t> block_sizes = {8, 16, 32};
  size_t next = 0;
  for (const int64_t head_dim : {8, 16, 24, 64, 80, 128, 256}) {
    for (const int64_t group : {1, 2, 3, 4, 5, 7, 8}) {
      ExpectAttends({2, group, head_dim, block_sizes[next++ % 3]});
    }
  }
}

TEST_P(PagedAttentionTest, BlockSizesAndHeadCountsMayBeOdd) {
  for (const int64_t block_size : {1, 7, 8, 16, 32, 100}) {
    ExpectAttends({1, 3, 20, block_size});
    ExpectAttends({3, 2, 33, block_size});
  }
}

// As the rows are that fill up a captured step's batch.
TEST_P(PagedAttentionTest, RowsWithoutTokensLeaveTheOthersAsTheyAre) {
  const Shape shape = {2, 4, 64, 16};
  Cache cache = MakeCache(shape, {40, 700});
  const at::Tensor q = Random({4, 2 * 4 * 64});
  const at::Tensor expected = Expected(q.slice(0, 0, 2), cache, shape, 0.1);
  cache.lengths.insert(cache.lengths.end(), 2, 0);
  cache.blocks.resize(4);
  ExpectClose(Attend(q, cache, shape, 0.1f).slice(0, 0, 2), expected, 5e-6);
}

TEST_P(PagedAttentionTest, OneLargeScoreTakesAllTheWeight) {
  const Shape shape{1, 2, 16, 16};
  Cache cache = MakeCache(shape, {700});
  const at::Tensor q = Random({1, 32}).fill_(10);
  cache.pool.select(1, 0).fill_(-10);
  const int64_t block = cache.blocks[0][600 / 16];
  cache.pool.select(0, block).select(0, 0).select(1, 600 % 16).fill_(10);
  const at::Tensor value = cache.pool.select(0, block).select(0, 1).select(1, 600 % 16);
  const at::Tensor out = Attend(q, cache, shape, 1.0f);
  EXPECT_TRUE(out.reshape({2, 16}).equal(value.expand({2, 16})));
}

TEST_P(PagedAttentionTest, ASequenceAloneAndInABatchGiveTheSameBits) {
  if (OnCuda() && GetParam().dtype == at::kBFloat16) {
    GTEST_SKIP() << "a small batch is split into more parts there";
  }
  const int64_t head_dim = OnCuda() ? 64 : 72;
  for (const int64_t group : {1, 3, 8}) {
    const Shape shape{2, group, head_dim, 16};
    const Cache cache = MakeCache(shape, kLengths);
    const at::Tensor q = Random({static_cast<int64_t>(kLengths.size()), 2 * group * head_dim});
    for (const int threads : {1, 3}) {
      at::set_num_threads(threads);
      const at::Tensor batch = Attend(q, cache, shape, 0.1f);
      for (size_t s = 0; s < kLengths.size(); ++s) {
        const auto row = static_cast<int64_t>(s);
        const Cache one{cache.pool, {cache.blocks[s]}, {cache.lengths[s]}};
        at::set_num_threads(1);
        EXPECT_TRUE(
            Attend(q.slice(0, row, row + 1), one, shape, 0.1f).equal(batch.slice(0, row, row + 1)))
            << "length " << kLengths[s] << ", group " << group << ", threads " << threads;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, PagedAttentionTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
