#ifndef WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_RANGES_H_
#define WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_RANGES_H_

#include <cstdint>
#include <vector>

#include "engine/base/token_range.h"

namespace windowkv {

int32_t CountTokens(const std::vector<TokenRange>& ranges);

// Every index of `ranges` in order.
std::vector<int32_t> Expand(const std::vector<TokenRange>& ranges);

// Sorted, without empty ranges, and joined where ranges overlap or touch.
std::vector<TokenRange> Joined(std::vector<TokenRange> ranges);

// Ranges of `count` sorted indices.
std::vector<TokenRange> RangesOf(const int32_t* indices, int32_t count);

// The prompt tokens that a layer keeps: one list for all KV heads, or one for each. All lists have
// equally many tokens, sorted, not touching.
struct KeptTokens {
  std::vector<std::vector<TokenRange>> heads;

  int32_t count() const { return heads.empty() ? 0 : CountTokens(heads.front()); }
  bool per_head() const { return heads.size() > 1; }
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_CACHE_POLICY_TOKEN_RANGES_H_
