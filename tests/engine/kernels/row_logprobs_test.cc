#include "engine/kernels/row_logprobs.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/engine/kernels/logits_test.h"

namespace windowkv {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class RowLogprobsTest : public LogitsTest {
 protected:
  // With few different values when `levels` is small.
  std::vector<float> RandomRow(size_t size, uint32_t levels, float width) {
    std::vector<float> row(size);
    for (float& x : row) x = (static_cast<float>(random_() % levels) / levels - 0.7f) * width;
    return row;
  }

  static std::vector<int32_t> IdsOf(const std::vector<std::pair<int32_t, float>>& tokens) {
    std::vector<int32_t> ids;
    for (const auto& [id, logprob] : tokens) ids.push_back(id);
    return ids;
  }
};

double LogSumExp(const std::vector<float>& values) {
  const double maximum = *std::ranges::max_element(values);
  double sum = 0;
  for (const float x : values) sum += std::exp(x - maximum);
  return maximum + std::log(sum);
}

// Sorted whole.
std::vector<int32_t> Likeliest(const std::vector<float>& logits, size_t count) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::ranges::stable_sort(ids, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  ids.resize(count);
  return ids;
}

TEST_P(RowLogprobsTest, EqualTheLogitsLessTheirLogSumExp) {
  for (const size_t size : {1, 15, 16, 17, 1000, 1025, 128256}) {
    for (const float width : {1.0f, 30.0f, 1000.0f}) {
      const std::vector<std::vector<float>> rows = {RandomRow(size, 1 << 30, width),
                                                    RandomRow(size, 1 << 30, width)};
      const std::vector<int32_t> ids = {static_cast<int32_t>(size / 2), 0};
      const RowLogprobs logprobs =
          StartRowLogprobs({{0, 0}, {1, 1}}, Ints(ids), /*top=*/0, Logits(rows));
      for (size_t i = 0; i < rows.size(); ++i) {
        const double expected = rows[i][ids[i]] - LogSumExp(rows[i]);
        EXPECT_NEAR(logprobs.Chosen(i), expected, 2e-6 + std::abs(expected) * 0x1.0p-22)
            << size << " logits, " << width << " wide";
        EXPECT_TRUE(logprobs.MostLikely(i, 0).empty());
      }
    }
  }
}

TEST_P(RowLogprobsTest, ListTheMostLikelyAndOfEqualOnesTheLowerIds) {
  for (const size_t size : {20, 31, 1000, 40000, 128256}) {
    for (const uint32_t levels : {1u, 7u, 1u << 30}) {
      const std::vector<std::vector<float>> rows = {RandomRow(size, levels, 16),
                                                    RandomRow(size, levels, 16)};
      const RowLogprobs logprobs =
          StartRowLogprobs({{0, 0}, {1, 1}}, Ints({3, 5}), /*top=*/20, Logits(rows));
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto top = logprobs.MostLikely(i, 20);
        EXPECT_EQ(IdsOf(top), Likeliest(rows[i], 20)) << size << " logits of " << levels;
        const double normaliser = LogSumExp(rows[i]);
        for (const auto& [id, logprob] : top) EXPECT_NEAR(logprob, rows[i][id] - normaliser, 5e-6);
      }
    }
  }
}

TEST_P(RowLogprobsTest, AreOfTheRowsAndTokensThatAreNamed) {
  const at::Tensor logits = Logits({{0, 1, 2}, {9, 9, 9}, {5, -kInfinity, -kInfinity}});
  const RowLogprobs logprobs =
      StartRowLogprobs({{2, 1}, {0, 3}}, Ints({7, 0, 7, 1}), /*top=*/2, logits);
  EXPECT_EQ(logprobs.Chosen(0), 0);
  EXPECT_THAT(logprobs.MostLikely(0, 2), ElementsAre(Pair(0, 0), Pair(1, -kInfinity)));
  EXPECT_NEAR(logprobs.Chosen(1), 1 - LogSumExp({0, 1, 2}), 1e-6);
  EXPECT_THAT(IdsOf(logprobs.MostLikely(1, 2)), ElementsAre(2, 1));
  EXPECT_THAT(IdsOf(logprobs.MostLikely(1, 1)), ElementsAre(2));
}

TEST_P(RowLogprobsTest, ListNoMoreThanTheVocabularyHas) {
  const RowLogprobs logprobs =
      StartRowLogprobs({{0, 0}}, Ints({0}), /*top=*/20, Logits({{1, 3, 2}}));
  EXPECT_THAT(IdsOf(logprobs.MostLikely(0, 20)), ElementsAre(1, 2, 0));
}

TEST_P(RowLogprobsTest, LogitsThatDifferByOneBitKeepTheirOrderHoweverManyAreAskedFor) {
  std::vector<float> row(50000, 0);
  row[7] = 0.1f;
  row[9000] = std::nextafter(0.1f, 1.0f);
  for (const int32_t top : {1, 5}) {
    const RowLogprobs logprobs = StartRowLogprobs({{0, 0}}, Ints({9000}), top, Logits({row}));
    EXPECT_THAT(IdsOf(logprobs.MostLikely(0, 1)), ElementsAre(9000)) << top;
  }
}

TEST_P(RowLogprobsTest, ARowWithoutATokenLeavesTheOthersAlone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const RowLogprobs logprobs = StartRowLogprobs({{0, 0}, {1, 1}}, Ints({-1, 1}), /*top=*/1,
                                                Logits({{nan, nan, nan}, {0, 0, -kInfinity}}));
  EXPECT_NEAR(logprobs.Chosen(1), std::log(0.5), 1e-6);
  EXPECT_THAT(IdsOf(logprobs.MostLikely(1, 1)), ElementsAre(0));
}

TEST_P(RowLogprobsTest, AreThoseOfTheirStepWhateverIsStartedBeforeTheyAreRead) {
  at::Tensor logits = Logits({{0, 0}});
  const RowLogprobs first = StartRowLogprobs({{0, 0}}, Ints({0}), /*top=*/1, logits);
  logits.copy_(Logits({{-kInfinity, 7}}), /*non_blocking=*/true);
  const RowLogprobs second = StartRowLogprobs({{0, 0}}, Ints({1}), /*top=*/1, logits);
  EXPECT_NEAR(first.Chosen(0), std::log(0.5), 1e-6);
  EXPECT_EQ(second.Chosen(0), 0);
}

INSTANTIATE_TEST_SUITE_P(Targets, RowLogprobsTest, ::testing::ValuesIn(Float32Targets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
