#ifndef WINDOWKV_ENGINE_KERNELS_PAGED_CACHES_H_
#define WINDOWKV_ENGINE_KERNELS_PAGED_CACHES_H_

#include <cstdint>

#include "engine/kernels/host_device.h"

namespace windowkv {

// The caches of a batch in one layer: a row of block ids and a number of cached tokens for each
// sequence. A view; its arrays lie in memory of the pool's device, the rows' length too, so that a
// captured graph reads the one of its step.
struct PagedCaches {
  const int32_t* lengths = nullptr;       // [batch] tokens; 0: a row that only fills up the batch
  const int32_t* block_tables = nullptr;  // rows of block ids, those of all layers
  const int32_t* table_stride = nullptr;  // block ids in a row, one number
  int64_t first_row = 0;                  // of this layer

  // The block ids of a sequence, in order.
  WINDOWKV_HOST_DEVICE const int32_t* Table(int64_t sequence) const {
    return block_tables + (first_row + sequence) * *table_stride;
  }
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KERNELS_PAGED_CACHES_H_
