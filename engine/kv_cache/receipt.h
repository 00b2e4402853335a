#ifndef WINDOWKV_ENGINE_KV_CACHE_RECEIPT_H_
#define WINDOWKV_ENGINE_KV_CACHE_RECEIPT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/base/task.h"
#include "engine/cache_policy/cache_config.h"

namespace windowkv {

// What was really kept and freed for one request. A value, measured on the blocks held.
struct Receipt {
  struct Group {
    int32_t first_layer = 0;
    int32_t num_layers = 0;
    int32_t budget_tokens = 0;  // prompt tokens each layer was allowed
    int32_t kept_tokens = 0;    // prompt tokens each layer kept
    KeptTokens kept;            // only when asked for
  };
  CachePolicy policy = CachePolicy::kFull;
  std::vector<Group> groups;
  int64_t bytes_full = 0;          // the prompt without compression, in whole blocks
  int64_t bytes_kept = 0;          // blocks held after compression
  int64_t bytes_prefill_peak = 0;  // blocks taken plus one layer's scratch, at most
  TaskVerdict task;
  std::optional<Strategy> strategy;
  absl::Duration selection_time;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_KV_CACHE_RECEIPT_H_
