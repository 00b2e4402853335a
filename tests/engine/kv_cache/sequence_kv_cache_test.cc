#include "engine/kv_cache/sequence_kv_cache.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

namespace windowkv {
namespace {

constexpr int32_t kLayers = 5;
constexpr int32_t kBlockSize = 4;

// Five layers in groups of two, `blocks` reserved in `allocator`.
SequenceKvCache MakeCache(BlockAllocator& allocator, int64_t blocks) {
  EXPECT_TRUE(allocator.Reserve(blocks));
  CachePlan plan;
  plan.groups = {{0, 2, 10}, {2, 2, 8}, {4, 1, 6}};
  plan.prompt_tokens = 20;
  plan.blocks = blocks;
  return SequenceKvCache(std::move(plan), kLayers, kBlockSize, &allocator);
}

TEST(SequenceKvCacheTest, TakesABlockOnlyWhenTheLastOneIsFull) {
  BlockAllocator allocator(20);
  SequenceKvCache cache = MakeCache(allocator, 10);
  cache.Grow(1, 3);
  EXPECT_EQ(cache.blocks(1).size(), 1u);
  cache.Grow(1, 1);
  EXPECT_EQ(cache.blocks(1).size(), 1u);
  cache.Grow(1, 1);
  EXPECT_EQ(cache.blocks(1).size(), 2u);
  cache.Grow(1, 0);
  EXPECT_EQ(cache.cached_length(1), 5);
  EXPECT_EQ(cache.cached_length(0), 0);
  EXPECT_EQ(cache.held_blocks(), 2);
}

TEST(SequenceKvCacheTest, LayersNeverShareABlock) {
  BlockAllocator allocator(40);
  SequenceKvCache cache = MakeCache(allocator, 40);
  std::set<int32_t> blocks;
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    cache.Grow(layer, 5 * (layer + 1));
    blocks.insert(cache.blocks(layer).begin(), cache.blocks(layer).end());
  }
  EXPECT_EQ(static_cast<int64_t>(blocks.size()), cache.held_blocks());
}

TEST(SequenceKvCacheTest, DestructionReturnsBlocksAndReservation) {
  BlockAllocator allocator(20);
  {
    SequenceKvCache cache = MakeCache(allocator, 12);
    cache.Grow(0, 9);
    EXPECT_EQ(allocator.available(), 8);
    EXPECT_EQ(allocator.taken(), 3);
  }
  EXPECT_EQ(allocator.available(), 20);
  EXPECT_EQ(allocator.taken(), 0);
}

TEST(SequenceKvCacheTest, AMoveHandsEverythingOver) {
  BlockAllocator allocator(20);
  {
    SequenceKvCache first = MakeCache(allocator, 6);
    first.Grow(2, 6);
    first.SetKept(1, {{{{0, 6}}}});
    SequenceKvCache second = std::move(first);
    EXPECT_EQ(second.cached_length(2), 6);
    EXPECT_EQ(second.kept(1).heads[0], (std::vector<TokenRange>{{0, 6}}));
    second.Grow(2, 4);
    EXPECT_EQ(second.held_blocks(), 3);
    EXPECT_EQ(allocator.taken(), 3);
  }
  EXPECT_EQ(allocator.available(), 20);
}

TEST(SequenceKvCacheTest, AssignmentReturnsWhatTheTargetHeld) {
  BlockAllocator allocator(20);
  {
    SequenceKvCache target = MakeCache(allocator, 7);
    target.Grow(0, 10);
    SequenceKvCache source = MakeCache(allocator, 5);
    source.Grow(3, 1);
    target = std::move(source);
    EXPECT_EQ(target.cached_length(3), 1);
    EXPECT_EQ(allocator.taken(), 1);
    EXPECT_EQ(allocator.available(), 15);
  }
  EXPECT_EQ(allocator.available(), 20);
}

TEST(SequenceKvCacheTest, RollingBackUndoesWhatGrewSinceTheLastCommitInEachLayer) {
  BlockAllocator allocator(20);
  SequenceKvCache cache = MakeCache(allocator, 20);
  cache.Grow(0, 4);
  cache.Grow(1, 3);
  cache.Commit();
  // A step that gets as far as the third layer.
  for (int32_t layer : {0, 1, 2}) cache.Grow(layer, 1);
  EXPECT_EQ(cache.held_blocks(), 4);
  cache.RollBack();
  EXPECT_EQ(cache.cached_length(0), 4);
  EXPECT_EQ(cache.cached_length(1), 3);
  EXPECT_EQ(cache.cached_length(2), 0);
  EXPECT_EQ(cache.held_blocks(), 2);
  EXPECT_EQ(allocator.taken(), 2);
  EXPECT_EQ(allocator.available(), 0);
  // What was given back is still reserved.
  for (int32_t i = 0; i < 18; ++i) cache.Grow(3, 4);
  EXPECT_EQ(allocator.taken(), 20);
}

TEST(SequenceKvCacheTest, EveryLayerKnowsItsGroup) {
  BlockAllocator allocator(1);
  const SequenceKvCache cache = MakeCache(allocator, 1);
  const std::vector<int32_t> expected = {0, 0, 1, 1, 2};
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    EXPECT_EQ(cache.GroupOf(layer), expected[layer]);
  }
}

TEST(SequenceKvCacheTest, OnceItIsKnownLayersHoldWhatTheirGroupKeepsAndNoMore) {
  BlockAllocator allocator(20);
  SequenceKvCache cache = MakeCache(allocator, 20);
  // As many as they could keep.
  for (int32_t layer = 0; layer < kLayers; ++layer) cache.Grow(layer, 12);
  EXPECT_EQ(allocator.taken(), 15);
  cache.SetKept(1, {{{{0, 3}, {10, 14}}}});
  EXPECT_EQ(cache.cached_length(1), 12);
  EXPECT_EQ(cache.cached_length(2), 7);
  EXPECT_EQ(cache.cached_length(3), 7);
  EXPECT_EQ(cache.cached_length(4), 12);
  EXPECT_EQ(cache.held_blocks(), 13);
  EXPECT_EQ(allocator.taken(), 13);
  EXPECT_EQ(allocator.available(), 0);  // what was given back is reserved
  cache.Grow(2, 6);
  EXPECT_EQ(cache.held_blocks(), 15);
}

TEST(SequenceKvCacheTest, NotesTheHighestPeak) {
  BlockAllocator allocator(1);
  SequenceKvCache cache = MakeCache(allocator, 1);
  for (const int64_t bytes : {100, 300, 200}) cache.NoteAlive(bytes);
  EXPECT_EQ(cache.prefill_peak_bytes(), 300);
}

}  // namespace
}  // namespace windowkv
