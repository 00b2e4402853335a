#include "engine/kv_cache/block_allocator.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace windowkv {
namespace {

TEST(BlockAllocatorTest, EveryBlockIsHandedOutOnce) {
  BlockAllocator allocator(100);
  ASSERT_TRUE(allocator.Reserve(100));
  std::set<int32_t> blocks;
  for (int i = 0; i < 100; ++i) blocks.insert(allocator.TakeReserved());
  EXPECT_EQ(blocks.size(), 100u);
  EXPECT_EQ(*blocks.begin(), 0);
  EXPECT_EQ(*blocks.rbegin(), 99);
  EXPECT_EQ(allocator.taken(), 100);
}

TEST(BlockAllocatorTest, AReservationLargerThanWhatIsAvailableChangesNothing) {
  BlockAllocator allocator(10);
  ASSERT_TRUE(allocator.Reserve(7));
  EXPECT_FALSE(allocator.Reserve(4));
  EXPECT_EQ(allocator.available(), 3);
  EXPECT_TRUE(allocator.Reserve(3));
  EXPECT_FALSE(allocator.Reserve(1));
  EXPECT_TRUE(allocator.Reserve(0));
}

TEST(BlockAllocatorTest, TakingUsesUpTheReservationNotTheRest) {
  BlockAllocator allocator(10);
  ASSERT_TRUE(allocator.Reserve(4));
  const std::vector<int32_t> blocks = {allocator.TakeReserved(), allocator.TakeReserved()};
  EXPECT_EQ(allocator.available(), 6);
  EXPECT_EQ(allocator.taken(), 2);
  allocator.ReturnReservation(2);
  EXPECT_EQ(allocator.available(), 8);
  allocator.Free(blocks);
  EXPECT_EQ(allocator.available(), 10);
  EXPECT_EQ(allocator.taken(), 0);
}

TEST(BlockAllocatorTest, AnIdlePoolTouchesLowBlocksAndReusesThem) {
  BlockAllocator allocator(1000);
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(allocator.Reserve(3));
    std::vector<int32_t> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(allocator.TakeReserved());
    for (int32_t block : blocks) EXPECT_LT(block, 3);
    allocator.Free(blocks);
  }
}

}  // namespace
}  // namespace windowkv
