#include "engine/kv_cache/block_allocator.h"

#include <numeric>

namespace windowkv {

BlockAllocator::BlockAllocator(int64_t num_blocks) : num_blocks_(num_blocks), free_(num_blocks) {
  // Low ids first, so that an idle pool touches few pages.
  std::iota(free_.rbegin(), free_.rend(), 0);
}

bool BlockAllocator::Reserve(int64_t count) {
  if (count > available()) return false;
  reserved_ += count;
  return true;
}

void BlockAllocator::ReturnReservation(int64_t count) { reserved_ -= count; }

int32_t BlockAllocator::TakeReserved() {
  const int32_t block = free_.back();
  free_.pop_back();
  --reserved_;
  return block;
}

void BlockAllocator::ReturnReserved(int32_t block) {
  free_.push_back(block);
  ++reserved_;
}

void BlockAllocator::Free(const std::vector<int32_t>& blocks) {
  free_.insert(free_.end(), blocks.begin(), blocks.end());
}

}  // namespace windowkv
