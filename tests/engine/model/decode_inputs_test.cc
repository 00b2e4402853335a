#include "engine/model/decode_inputs.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/kv_cache/kv_cache_manager.h"

namespace windowkv {
namespace {

constexpr int32_t kLayers = 2;
constexpr int32_t kBlockSize = 4;

class DecodeInputsTest : public ::testing::Test {
 protected:
  // A cache with as many tokens in each layer.
  SequenceKvCache CacheOf(const std::vector<int32_t>& lengths) {
    SequenceKvCache cache = *manager_.Admit(*manager_.Plan(CacheConfig{}, 20, 20));
    for (int32_t layer = 0; layer < kLayers; ++layer) cache.Grow(layer, lengths[layer]);
    return cache;
  }

  static std::vector<int32_t> Table(const PagedCaches& caches, int64_t row, size_t count) {
    const int32_t* table = caches.Table(row);
    return {table, table + count};
  }

  KvCacheManager manager_{
      {.num_layers = kLayers, .block_size = kBlockSize, .block_bytes = 64, .num_blocks = 64}};
};

TEST_F(DecodeInputsTest, EachRowsNewestTokenGetsASlotInEveryLayer) {
  SequenceKvCache a = CacheOf({4, 9});
  SequenceKvCache b = CacheOf({1, 2});
  const std::vector<DecodeRow> rows = {{7, 40, &a}, {8, 3, &b}};
  const DecodeInputs inputs(FillDecodeInputs(rows, 2, kLayers, at::kCPU), 2, kLayers);
  EXPECT_EQ(inputs.Tokens()[0].item<int32_t>(), 7);
  EXPECT_EQ(inputs.Tokens()[1].item<int32_t>(), 8);
  EXPECT_EQ(inputs.positions()[0], 40);
  EXPECT_EQ(inputs.positions()[1], 3);
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    const PagedCaches caches = inputs.Caches(layer);
    for (size_t row = 0; row < rows.size(); ++row) {
      const SequenceKvCache& cache = *rows[row].cache;
      EXPECT_EQ(caches.lengths[row], cache.cached_length(layer));
      const std::vector<int32_t>& blocks = cache.blocks(layer);
      EXPECT_EQ(Table(caches, static_cast<int64_t>(row), blocks.size()), blocks);
    }
  }
  EXPECT_EQ(a.cached_length(0), 5);  // a block more than before
  EXPECT_EQ(a.blocks(0).size(), 2);
}

TEST_F(DecodeInputsTest, RowsThatOnlyFillUpTheBatchHaveNoTokens) {
  SequenceKvCache a = CacheOf({3, 3});
  const DecodeInputs inputs(FillDecodeInputs({{7, 40, &a}}, 4, kLayers, at::kCPU), 4, kLayers);
  EXPECT_EQ(inputs.Tokens().size(0), 4);
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    EXPECT_EQ(inputs.Caches(layer).lengths[0], 4);
    for (int64_t row = 1; row < 4; ++row) {
      EXPECT_EQ(inputs.Caches(layer).lengths[row], 0);
      EXPECT_EQ(inputs.Tokens()[row].item<int32_t>(), 0);
      EXPECT_EQ(inputs.positions()[row], 0);
    }
  }
}

TEST_F(DecodeInputsTest, UnreadTokensComeFromTheRowsThatTheyAreIn) {
  SequenceKvCache a = CacheOf({4, 9});
  SequenceKvCache b = CacheOf({1, 2});
  SequenceKvCache c = CacheOf({1, 2});
  const std::vector<DecodeRow> rows = {{0, 40, &a, 1}, {8, 3, &b}, {0, 3, &c, 0}};
  const DecodeInputs inputs(FillDecodeInputs(rows, 4, kLayers, at::kCPU), 4, kLayers);
  at::Tensor unread = at::empty({2}, at::kInt);
  unread[0] = 21;
  unread[1] = 22;
  inputs.FillUnread(unread);
  for (const auto& [row, token] : {std::pair{0, 22}, {1, 8}, {2, 21}, {3, 0}}) {
    EXPECT_EQ(inputs.Tokens()[row].item<int32_t>(), token);
  }
  EXPECT_EQ(inputs.positions()[0], 40);
}

TEST_F(DecodeInputsTest, AStepsInputsStayWhileTheNextOnesAreWritten) {
  SequenceKvCache a = CacheOf({4, 9});
  const DecodeInputs first(FillDecodeInputs({{7, 40, &a}}, 1, kLayers, at::kCPU), 1, kLayers);
  const DecodeInputs second(FillDecodeInputs({{8, 41, &a}}, 1, kLayers, at::kCPU), 1, kLayers);
  EXPECT_EQ(first.Tokens()[0].item<int32_t>(), 7);
  EXPECT_EQ(first.Caches(0).lengths[0], 5);
  EXPECT_EQ(second.Tokens()[0].item<int32_t>(), 8);
  EXPECT_EQ(second.Caches(0).lengths[0], 6);
}

TEST_F(DecodeInputsTest, OnlyWhatAStepReadsIsBroughtToADevice) {
  SequenceKvCache longer = CacheOf({15, 15});
  SequenceKvCache shorter = CacheOf({1, 1});
  const int64_t large = FillDecodeInputs({{1, 1, &longer}}, 1, kLayers, at::kCPU).size(0);
  const int64_t small = FillDecodeInputs({{1, 1, &shorter}}, 1, kLayers, at::kCPU).size(0);
  EXPECT_EQ(large, DecodeInputs::Size(1, kLayers, /*table_stride=*/4));
  EXPECT_EQ(small, DecodeInputs::Size(1, kLayers, /*table_stride=*/1));
}

}  // namespace
}  // namespace windowkv
