#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/kernels/top_windows.h"

namespace windowkv {
namespace {

int64_t CostOf(const WindowTopK& wanted, const std::vector<bool>& always, int32_t window) {
  if (!wanted.costs_tokens) return 1;
  const int32_t begin = window * wanted.window_size;
  const int32_t end = std::min(wanted.scored_tokens, begin + wanted.window_size);
  return std::count(always.begin() + begin, always.begin() + end, false);
}

// The windows that are taken, in no order. Costs are never negative, so those that fit are the
// first ones by falling score: found by halving, without sorting the rest.
std::vector<int32_t> Taken(const WindowTopK& wanted, const std::vector<bool>& always,
                           const float* scores, int64_t windows) {
  std::vector<int32_t> order(windows);
  std::iota(order.begin(), order.end(), 0);
  const auto key = [scores](int32_t i) { return std::isnan(scores[i]) ? -INFINITY : scores[i]; };
  const auto before = [&key](int32_t a, int32_t b) {
    return key(a) != key(b) ? key(a) > key(b) : a < b;
  };
  int64_t left = wanted.budget;
  auto begin = order.begin();  // what lies before it is taken
  for (auto end = order.end(); begin < end;) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, before);
    int64_t cost = 0;
    for (auto window = begin; window <= middle; ++window) cost += CostOf(wanted, always, *window);
    if (cost > left) {
      end = middle;
    } else {
      left -= cost;
      begin = middle + 1;
    }
  }
  order.erase(begin, order.end());
  return order;
}

int32_t WritePositions(const std::vector<bool>& kept, int64_t capacity, int32_t* positions) {
  int64_t count = 0;
  for (size_t token = 0; token < kept.size(); ++token) {
    if (!kept[token]) continue;
    TORCH_CHECK(count < capacity, "more tokens are kept than ", capacity);
    positions[count++] = static_cast<int32_t>(token);
  }
  return static_cast<int32_t>(count);
}

}  // namespace

void TopWindowsCpu(const WindowTopK& wanted, const at::Tensor& scores, KeptPositions& kept) {
  std::vector<bool> always(wanted.tokens);
  for (const TokenRange& range : wanted.always) {
    std::fill(always.begin() + range.begin, always.begin() + range.end, true);
  }
  const int64_t windows = scores.size(1);
  const int64_t capacity = kept.positions.size(1);
  for (int64_t row = 0; row < scores.size(0); ++row) {
    std::vector<bool> is_kept = always;
    const float* of_row = scores.const_data_ptr<float>() + row * windows;
    for (const int32_t window : Taken(wanted, always, of_row, windows)) {
      const int32_t begin = window * wanted.window_size;
      const int32_t end = std::min(wanted.scored_tokens, begin + wanted.window_size);
      std::fill(is_kept.begin() + begin, is_kept.begin() + end, true);
    }
    *kept.count.mutable_data_ptr<int32_t>() = WritePositions(
        is_kept, capacity, kept.positions.mutable_data_ptr<int32_t>() + row * capacity);
  }
}

}  // namespace windowkv
