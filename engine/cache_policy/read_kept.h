#ifndef WINDOWKV_ENGINE_CACHE_POLICY_READ_KEPT_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_READ_KEPT_H_

#include <vector>

#include "engine/cache_policy/token_ranges.h"
#include "engine/kernels/kept_positions.h"

namespace windowkv {

// What was kept, read from where it was chosen: waits until all of it is there. Of every head, or
// of the first alone, as the number.
std::vector<KeptTokens> ReadKept(const std::vector<KeptPositions>& selections,
                                 bool every_head = true);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_READ_KEPT_H_
