#include "engine/cache_policy/token_selection.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/cache_policy/layer_attention.h"
#include "engine/kernels/window_scores.h"

namespace windowkv {
namespace {

constexpr int32_t kPoolingKernel = 5;  // tokens, odd

// Indices below `columns` that are in none of `ranges` (sorted, not touching).
std::vector<int32_t> Others(const std::vector<TokenRange>& ranges, int32_t columns) {
  std::vector<int32_t> others;
  others.reserve(columns);
  int32_t next = 0;
  for (const TokenRange& range : ranges) {
    for (; next < std::min(range.begin, columns); ++next) others.push_back(next);
    next = std::max(next, range.end);
  }
  for (; next < columns; ++next) others.push_back(next);
  return others;
}

// The `count` best of `candidates` (ascending), ascending.
std::vector<int32_t> Best(std::vector<int32_t> candidates, size_t count, const float* scores) {
  if (count < candidates.size()) {
    const auto key = [scores](int32_t i) { return std::isnan(scores[i]) ? -INFINITY : scores[i]; };
    std::nth_element(
        candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(count), candidates.end(),
        [&key](int32_t a, int32_t b) { return key(a) != key(b) ? key(a) > key(b) : a < b; });
    candidates.resize(count);
    std::sort(candidates.begin(), candidates.end());
  }
  return candidates;
}

void Pool(float* scores, int32_t columns) {
  const std::vector<float> before(scores, scores + columns);
  constexpr int32_t kReach = kPoolingKernel / 2;
  for (int32_t i = 0; i < columns; ++i) {
    const int32_t end = std::min(columns, i + kReach + 1);
    float sum = 0;
    for (int32_t j = std::max(0, i - kReach); j < end; ++j) sum += before[j];
    scores[i] = sum / kPoolingKernel;
  }
}

}  // namespace

std::vector<TokenRange> WithMostRecent(const std::vector<TokenRange>& ranges, int32_t count,
                                       int32_t prompt_tokens) {
  std::vector<TokenRange> all = ranges;
  int32_t end = prompt_tokens;
  for (auto range = ranges.rbegin(); count > 0; ++range) {
    const int32_t gap_begin = range == ranges.rend() ? 0 : range->end;
    const int32_t taken = std::min(count, end - gap_begin);
    all.push_back({end - taken, end});
    count -= taken;
    if (range == ranges.rend()) break;
    end = range->begin;
  }
  return Joined(std::move(all));
}

KeptTokens SelectTokens(const std::vector<TokenRange>& always, int32_t budget,
                        const Scores& scores) {
  const std::vector<int32_t> others = Others(always, scores.columns);
  const int32_t left = std::max(0, budget - CountTokens(always));
  KeptTokens kept;
  for (int32_t row = 0; row < scores.rows; ++row) {
    const float* values = scores.values.data() + int64_t{row} * scores.columns;
    std::vector<TokenRange> ranges = RangesOf(Best(others, left, values));
    ranges.insert(ranges.end(), always.begin(), always.end());
    kept.heads.push_back(Joined(std::move(ranges)));
  }
  return kept;
}

Scores AddHeads(const float* head_scores, int32_t num_heads, int32_t tokens, int32_t num_kv_heads,
                int32_t columns) {
  Scores sums{std::vector<float>(int64_t{num_kv_heads} * columns, 0.0f), num_kv_heads, columns};
  const int32_t group = num_heads / num_kv_heads;
  for (int32_t head = 0; head < num_heads; ++head) {
    float* row = sums.values.data() + int64_t{head / group} * columns;
    const float* added = head_scores + int64_t{head} * tokens;
    for (int32_t i = 0; i < columns; ++i) row[i] += added[i];
  }
  return sums;
}

Scores PooledTokenScores(const LayerAttention& attention) {
  const at::Tensor mass = TokenScores(attention.last_q, attention.k, attention.scale).to(at::kCPU);
  const auto columns = static_cast<int32_t>(mass.size(1));
  Scores scores = AddHeads(mass.const_data_ptr<float>(), static_cast<int32_t>(mass.size(0)),
                           columns, static_cast<int32_t>(attention.k.size(1)), columns);
  for (int32_t row = 0; row < scores.rows; ++row) {
    Pool(scores.values.data() + int64_t{row} * columns, columns);
  }
  return scores;
}

}  // namespace windowkv
