#include "engine/kernels/top_windows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class TopWindowsTest : public KernelTest {
 protected:
  // The rows' positions, read back.
  std::vector<std::vector<int32_t>> Kept(const WindowTopK& wanted,
                                         const std::vector<std::vector<float>>& scores) {
    at::Tensor host = at::empty(
        {static_cast<int64_t>(scores.size()), static_cast<int64_t>(scores.front().size())},
        at::TensorOptions().dtype(at::kFloat));
    for (size_t row = 0; row < scores.size(); ++row) {
      std::ranges::copy(scores[row], host.mutable_data_ptr<float>() + row * scores[row].size());
    }
    const KeptPositions kept = TopWindows(wanted, host.to(GetParam().device));
    const at::Tensor positions = kept.positions.to(at::kCPU);
    const auto count = kept.count.item<int32_t>();
    EXPECT_LE(count, wanted.capacity);
    std::vector<std::vector<int32_t>> rows;
    for (int64_t row = 0; row < positions.size(0); ++row) {
      const int32_t* first = positions.const_data_ptr<int32_t>() + row * wanted.capacity;
      rows.emplace_back(first, first + count);
    }
    return rows;
  }

  // The definition, written out.
  static std::vector<int32_t> Expected(const WindowTopK& wanted, const std::vector<bool>& always,
                                       const std::vector<float>& scores) {
    std::vector<int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    const auto rank = [&](int32_t i) { return std::isnan(scores[i]) ? -INFINITY : scores[i]; };
    std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return rank(a) > rank(b); });
    std::vector<bool> kept = always;
    int32_t left = wanted.budget;
    for (const int32_t window : order) {
      const int32_t begin = window * wanted.window_size;
      const int32_t end = std::min(wanted.scored_tokens, begin + wanted.window_size);
      int32_t cost = 1;
      if (wanted.costs_tokens) {
        cost =
            static_cast<int32_t>(std::count(always.begin() + begin, always.begin() + end, false));
      }
      if (cost > left) break;
      left -= cost;
      std::fill(kept.begin() + begin, kept.begin() + end, true);
    }
    std::vector<int32_t> positions;
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i]) positions.push_back(static_cast<int32_t>(i));
    }
    return positions;
  }

  int32_t Uniform(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(random_() % static_cast<uint32_t>(high - low + 1));
  }

  void ExpectAsDefined(int32_t tokens, int32_t rows) {
    WindowTopK wanted;
    wanted.scored_tokens = Uniform(0, tokens);
    wanted.window_size = rows > 1 ? 1 : Uniform(1, 70);
    wanted.costs_tokens = rows > 1 || random_() % 3 != 0;
    wanted.tokens = tokens;
    std::vector<bool> always(tokens);
    const uint32_t rarity = 1 + random_() % (random_() % 2 == 0 ? 20 : 500);
    for (int32_t i = 0; i < tokens; ++i) {
      always[i] = i >= wanted.scored_tokens || random_() % rarity == 0;
      if (!always[i]) continue;
      if (i > 0 && always[i - 1]) {
        ++wanted.always.back().end;
      } else {
        wanted.always.push_back({i, i + 1});
      }
    }
    wanted.budget = Uniform(0, random_() % 4 == 0 ? 2 * tokens : tokens / 3);
    wanted.capacity = tokens;
    const int32_t windows = (wanted.scored_tokens + wanted.window_size - 1) / wanted.window_size;
    const uint32_t distinct = 1 + random_() % 1000;  // few: many ties
    std::vector<std::vector<float>> scores(rows, std::vector<float>(windows));
    for (std::vector<float>& row : scores) {
      for (float& score : row) {
        const uint32_t drawn = random_() % distinct;
        score = drawn == 1 ? kNan : (static_cast<float>(drawn) - 300) * 0.37f;
      }
    }
    SCOPED_TRACE(std::to_string(tokens) + " tokens, windows of " +
                 std::to_string(wanted.window_size) + ", budget " + std::to_string(wanted.budget) +
                 ", scores " + std::to_string(distinct));
    const std::vector<std::vector<int32_t>> kept = Kept(wanted, scores);
    for (int32_t row = 0; row < rows; ++row) {
      ASSERT_EQ(kept[row], Expected(wanted, always, scores[row])) << "row " << row;
    }
  }
};

TEST_P(TopWindowsTest, KeepsWhatTheDefinitionKeeps) {
  for (int round = 0; round < 300 && !HasFailure(); ++round) {
    ExpectAsDefined(Uniform(1, round % 3 == 0 ? 40 : 2000), /*rows=*/1);
  }
}

TEST_P(TopWindowsTest, EachRowOfTokensKeepsItsOwn) {
  for (int round = 0; round < 100 && !HasFailure(); ++round) {
    ExpectAsDefined(Uniform(1, round % 3 == 0 ? 40 : 2000), Uniform(2, 8));
  }
}

TEST_P(TopWindowsTest, LongPromptsAreWithinReach) {
  ExpectAsDefined(40000, /*rows=*/1);
  ExpectAsDefined(40000, /*rows=*/2);
}

TEST_P(TopWindowsTest, ScoresApartByOneBitAreToldApart) {
  const WindowTopK wanted{
      .tokens = 6, .always = {}, .scored_tokens = 6, .budget = 2, .capacity = 2};
  const float one = 1;
  const float above = std::nextafter(one, 2.0f);
  EXPECT_EQ(Kept(wanted, {{one, -0.0f, above, one, 0.0f, one}}),
            (std::vector<std::vector<int32_t>>{{0, 2}}));
  EXPECT_EQ(Kept(wanted, {{-1, -0.0f, -2, -INFINITY, 0.0f, kNan}}),
            (std::vector<std::vector<int32_t>>{{1, 4}}));
}

TEST_P(TopWindowsTest, WhereNothingIsScoredWhatIsAlwaysKeptIsKept) {
  const WindowTopK wanted{.tokens = 33, .always = {{0, 1}, {2, 3}, {31, 33}}, .capacity = 4};
  const KeptPositions kept = TopWindows(wanted, NoScores(GetParam().device));
  EXPECT_TRUE(kept.positions.to(at::kCPU).equal(Ints({0, 2, 31, 32}).to(at::kCPU).view({1, 4})));
  EXPECT_EQ(kept.count.item<int32_t>(), 4);
}

INSTANTIATE_TEST_SUITE_P(Targets, TopWindowsTest, ::testing::ValuesIn(Float32Targets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
