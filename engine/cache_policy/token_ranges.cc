#include "engine/cache_policy/token_ranges.h"

#include <algorithm>

namespace windowkv {

int32_t CountTokens(const std::vector<TokenRange>& ranges) {
  int32_t tokens = 0;
  for (const TokenRange& range : ranges) tokens += range.end - range.begin;
  return tokens;
}

std::vector<int32_t> Expand(const std::vector<TokenRange>& ranges) {
  std::vector<int32_t> indices;
  indices.reserve(CountTokens(ranges));
  for (const TokenRange& range : ranges) {
    for (int32_t i = range.begin; i < range.end; ++i) indices.push_back(i);
  }
  return indices;
}

std::vector<TokenRange> Joined(std::vector<TokenRange> ranges) {
  std::erase_if(ranges, [](const TokenRange& r) { return r.begin >= r.end; });
  std::sort(ranges.begin(), ranges.end(),
            [](const TokenRange& a, const TokenRange& b) { return a.begin < b.begin; });
  std::vector<TokenRange> joined;
  for (const TokenRange& range : ranges) {
    if (!joined.empty() && range.begin <= joined.back().end) {
      joined.back().end = std::max(joined.back().end, range.end);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

std::vector<TokenRange> RangesOf(const int32_t* indices, int32_t count) {
  std::vector<TokenRange> ranges;
  for (int32_t i = 0; i < count; ++i) {
    if (!ranges.empty() && ranges.back().end == indices[i]) {
      ++ranges.back().end;
    } else {
      ranges.push_back({indices[i], indices[i] + 1});
    }
  }
  return ranges;
}

}  // namespace windowkv
