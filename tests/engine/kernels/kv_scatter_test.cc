#include "engine/kernels/kv_scatter.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

constexpr double kUntouched = 99;

class KvScatterTest : public KernelTest {
 protected:
  // With room for more, which is not to be read.
  KeptPositions Kept(const std::vector<std::vector<int32_t>>& positions) const {
    constexpr int32_t kNoPosition = 1 << 30;
    std::vector<int32_t> rows;
    for (const std::vector<int32_t>& row : positions) {
      rows.insert(rows.end(), row.begin(), row.end());
      rows.insert(rows.end(), 3, kNoPosition);
    }
    return {Ints(rows).view({static_cast<int64_t>(positions.size()), -1}),
            Ints({static_cast<int32_t>(positions.front().size())})};
  }

  void ExpectScatters(int64_t tokens, int64_t kept, int64_t heads, int64_t block_size,
                      int64_t head_dim) {
    SCOPED_TRACE(std::to_string(kept) + " of " + std::to_string(tokens) + " tokens, block " +
                 std::to_string(block_size));
    const at::Tensor k = Random({tokens, heads, head_dim});
    const at::Tensor v = Random({tokens, heads, head_dim});
    std::vector<int32_t> positions(tokens);
    std::iota(positions.begin(), positions.end(), 0);
    std::shuffle(positions.begin(), positions.end(), random_);
    positions.resize(kept);
    std::sort(positions.begin(), positions.end());
    const int64_t used = (kept + block_size - 1) / block_size;
    std::vector<int32_t> blocks(used + 2);
    std::iota(blocks.begin(), blocks.end(), 0);
    std::shuffle(blocks.begin(), blocks.end(), random_);
    at::Tensor pool = Empty({used + 2, 2, heads, block_size, head_dim}).fill_(kUntouched);
    at::Tensor expected = pool.clone();
    for (int64_t i = 0; i < kept; ++i) {
      const at::Tensor slot = expected.select(0, blocks[i / block_size]).select(2, i % block_size);
      slot.select(0, 0).copy_(k.select(0, positions[i]));
      slot.select(0, 1).copy_(v.select(0, positions[i]));
    }
    blocks.resize(used);
    KvScatter(k, v, Kept({positions}), blocks, pool);
    EXPECT_TRUE(pool.equal(expected));
  }
};

TEST_P(KvScatterTest, EachKeptTokenGoesToItsSlotAndNothingElseChanges) {
  for (const int64_t block_size : {8, 16, 32}) {
    for (const int64_t kept : {1, 15, 16, 17, 70}) ExpectScatters(80, kept, 3, block_size, 8);
  }
  ExpectScatters(1000, 700, 2, 16, 24);
}

TEST_P(KvScatterTest, EachHeadMayKeepItsOwnTokens) {
  const at::Tensor k = Random({30, 2, 8});
  const at::Tensor v = Random({30, 2, 8});
  const std::vector<std::vector<int32_t>> positions = {{0, 3, 4, 20, 29}, {1, 2, 3, 28, 29}};
  const std::vector<int32_t> blocks = {2, 0};
  at::Tensor pool = Empty({3, 2, 2, 4, 8}).fill_(kUntouched);
  at::Tensor expected = pool.clone();
  for (int64_t head = 0; head < 2; ++head) {
    for (int64_t i = 0; i < 5; ++i) {
      const at::Tensor block = expected.select(0, blocks[i / 4]);
      const int64_t position = positions[head][i];
      block.select(0, 0).select(0, head).select(0, i % 4).copy_(k.select(0, position)[head]);
      block.select(0, 1).select(0, head).select(0, i % 4).copy_(v.select(0, position)[head]);
    }
  }
  KvScatter(k, v, Kept(positions), blocks, pool);
  EXPECT_TRUE(pool.equal(expected));
}

TEST_P(KvScatterTest, NothingKeptChangesNothing) { ExpectScatters(10, 0, 2, 8, 16); }

INSTANTIATE_TEST_SUITE_P(Targets, KvScatterTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
