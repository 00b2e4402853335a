#ifndef WINDOWKV_ENGINE_KV_CACHE_BLOCK_ALLOCATOR_H_
#define WINDOWKV_ENGINE_KV_CACHE_BLOCK_ALLOCATOR_H_

#include <cstdint>
#include <vector>

namespace windowkv {

// Hands out block ids of one pool. Blocks are first reserved, then taken: a reservation that was
// granted can always be taken, so nothing runs out of blocks midway. Engine thread only.
class BlockAllocator {
 public:
  explicit BlockAllocator(int64_t num_blocks);

  // Sets `count` blocks aside; false, and nothing changes, when fewer are available.
  bool Reserve(int64_t count);
  // Gives back a part of a reservation that was not taken.
  void ReturnReservation(int64_t count);

  // Takes one block of a reservation.
  int32_t TakeReserved();
  // The inverse: the block is free, and reserved for whoever took it.
  void ReturnReserved(int32_t block);
  void Free(const std::vector<int32_t>& blocks);

  // Neither taken nor reserved.
  int64_t available() const { return static_cast<int64_t>(free_.size()) - reserved_; }
  int64_t taken() const { return num_blocks_ - static_cast<int64_t>(free_.size()); }

 private:
  int64_t num_blocks_;
  int64_t reserved_ = 0;
  std::vector<int32_t> free_;  // used as a stack: the block freed last is warm in the caches
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_BLOCK_ALLOCATOR_H_
