#include "engine/kernels/sample_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/kernels/logits_test.h"

namespace windowkv {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class SampleRowsTest : public LogitsTest {
 protected:
  std::vector<int32_t> Greedy(const std::vector<std::vector<float>>& logits) const {
    std::vector<RowSampling> rows;
    for (size_t i = 0; i < logits.size(); ++i) rows.push_back({.row = static_cast<int32_t>(i)});
    at::Tensor tensor = Logits(logits);
    return SampleRows(rows, {}, tensor).Wait();
  }

  static std::vector<int32_t> InBatches(size_t size, const std::vector<RowSampling>& rows,
                                        at::Tensor& logits) {
    std::vector<int32_t> ids;
    for (size_t begin = 0; begin < rows.size(); begin += size) {
      const auto first = rows.begin() + static_cast<ptrdiff_t>(begin);
      const auto count = static_cast<ptrdiff_t>(std::min(size, rows.size() - begin));
      for (const int32_t id : SampleRows({first, first + count}, {}, logits).Wait()) {
        ids.push_back(id);
      }
    }
    return ids;
  }

  // Few different values when `levels` is small, so that many are equal.
  std::vector<float> RandomLogits(int32_t count, int levels) {
    std::vector<float> logits(static_cast<size_t>(count));
    for (float& x : logits) {
      x = (static_cast<float>(random_() % static_cast<unsigned>(levels)) / levels - 0.5f) * 16;
    }
    return logits;
  }

  double Uniform() { return static_cast<double>(random_()) * 0x1.0p-32; }
};

// A softmax written out: sort, filter, walk.
int32_t Reference(const std::vector<float>& logits, const RowSampling& row) {
  std::vector<std::pair<float, int32_t>> order;
  for (size_t i = 0; i < logits.size(); ++i) order.emplace_back(-logits[i], static_cast<int>(i));
  std::ranges::sort(order);
  std::vector<std::pair<int32_t, double>> left;
  for (const auto& [negative, id] : order) {
    const double share = std::exp((order[0].first - negative) / double{row.temperature});
    if (share >= row.min_p) left.emplace_back(id, share);
  }
  if (row.top_k > 0) left.resize(std::min<size_t>(left.size(), static_cast<size_t>(row.top_k)));
  double total = 0;
  for (const auto& [id, share] : left) total += share;
  double sum = 0;
  size_t kept = 0;
  while (kept < left.size() && sum < total * row.top_p) sum += left[kept++].second;
  if (row.top_p < 1) left.resize(std::max<size_t>(kept, 1));
  std::ranges::sort(left);
  total = 0;
  for (const auto& [id, share] : left) total += share;
  double before = row.uniform * total;
  for (const auto& [id, share] : left) {
    before -= share;
    if (before < 0) return id;
  }
  return left.back().first;
}

TEST_P(SampleRowsTest, GreedyTakesTheHighestLogitAndTheLowestIdOnATie) {
  EXPECT_EQ(
      Greedy({{0, 3, 1, 2}, {2, 5, 5, 5}, {-kInfinity, -7, -kInfinity, -7}, {-0.0f, 0, 0, 0}}),
      (std::vector<int32_t>{1, 1, 1, 0}));
  for (const int32_t size : {1, 31, 100, 4097}) {
    std::vector<std::vector<float>> rows;
    std::vector<int32_t> expected;
    for (int32_t place = 0; place < size; place += 1 + size / 50) {
      std::vector<float> row(static_cast<size_t>(size), -2);
      row[place] = -1;
      row.back() = -1;
      rows.push_back(std::move(row));
      expected.push_back(place);
    }
    EXPECT_EQ(Greedy(rows), expected) << size;
  }
}

TEST_P(SampleRowsTest, LogitsThatAreNoFiniteNumbersHaveNoToken) {
  std::vector<std::vector<float>> rows = {std::vector<float>(1500, -kInfinity)};
  std::vector<int32_t> expected = {kNoToken};
  for (const size_t place : {0, 40, 1023, 1024, 1499}) {
    for (const float bad : {kNaN, kInfinity}) {
      rows.emplace_back(1500, 1.0f);
      rows.back()[place] = bad;
      expected.push_back(kNoToken);
    }
    rows.emplace_back(1500, 0.0f);  // others go on
    rows.back()[place] = 1;
    expected.push_back(static_cast<int32_t>(place));
  }
  EXPECT_EQ(Greedy(rows), expected);
}

TEST_P(SampleRowsTest, EachRowIsSampledByItsOwnParameters) {
  at::Tensor logits = Logits({{9, 1, 0}, {0, 1, 0}, {0, 0, 1}});
  const std::vector<LogitEdit> edits = {{.id = 2, .bias = 3}, {.id = 1, .less = kInfinity}};
  const std::vector<RowSampling> rows = {
      {.row = 2},
      {.row = 1, .edits_begin = 1, .edits_end = 2},
      {.row = 1, .temperature = 1, .top_k = 1, .edits_begin = 0, .edits_end = 1}};
  EXPECT_EQ(SampleRows({rows[0], rows[1]}, edits, logits).Wait(), (std::vector<int32_t>{2, 0}));
  EXPECT_EQ(SampleRows({rows[2]}, edits, logits).Wait(), (std::vector<int32_t>{2}));
}

TEST_P(SampleRowsTest, EditsChangeTheLogitsInTheirOrder) {
  at::Tensor logits = Logits({{1, 2, -3, 4, -5, 6}});
  const std::vector<LogitEdit> edits = {{.id = 0, .bias = 1},
                                        {.id = 1, .repetition = 4},
                                        {.id = 2, .repetition = 4},
                                        {.id = 3, .bias = -6, .repetition = 2, .less = 0.5f},
                                        {.id = 5, .less = kInfinity}};
  SampleRows({{.edits_begin = 0, .edits_end = 5}}, edits, logits);
  const at::Tensor expected = Logits({{2, 0.5f, -12, -4.5f, -5, -kInfinity}});
  EXPECT_TRUE(logits.equal(expected));
}

TEST_P(SampleRowsTest, ManyEditsAreAllDoneBeforeATokenIsChosen) {
  constexpr int32_t kVocabSize = 40000;
  std::vector<float> logits(kVocabSize);
  for (int32_t id = 0; id < kVocabSize; ++id) logits[id] = static_cast<float>(id % 7);
  std::vector<LogitEdit> edits;
  std::vector<float> edited = logits;
  for (int32_t id = 3; id < kVocabSize; id += 8) {
    const bool is_out = id % 3 == 0;
    edits.push_back({.id = id, .bias = static_cast<float>(id % 5), .less = is_out ? kInfinity : 0});
    edited[id] = is_out ? -kInfinity : edited[id] + static_cast<float>(id % 5);
  }
  const auto highest = static_cast<int32_t>(std::ranges::max_element(edited) - edited.begin());
  for (const int32_t count : {1, 16, 40, 80}) {
    std::vector<RowSampling> rows;
    for (int32_t row = 0; row < count; ++row) {
      rows.push_back({.row = row,
                      .temperature = row % 2 == 0 ? 0.0f : 0.01f,
                      .top_k = 1,
                      .edits_end = static_cast<int32_t>(edits.size())});
    }
    at::Tensor all = Logits(std::vector<std::vector<float>>(static_cast<size_t>(count), logits));
    EXPECT_EQ(SampleRows(rows, edits, all).Wait(),
              std::vector<int32_t>(static_cast<size_t>(count), highest));
    EXPECT_TRUE(
        all.equal(Logits(std::vector<std::vector<float>>(static_cast<size_t>(count), edited))));
  }
}

TEST_P(SampleRowsTest, DrawsWhatASoftmaxWrittenOutDraws) {
  for (const int32_t vocab_size : {1, 5, 32, 1000, 4097, 40000}) {
    for (const int levels : {1, 7, 1 << 20}) {
      const std::vector<float> logits = RandomLogits(vocab_size, levels);
      std::vector<RowSampling> rows;
      for (const float temperature : {0.3f, 1.0f, 30.0f}) {
        for (const int32_t top_k : {0, 1, 4, 50}) {
          for (const float top_p : {1.0f, 0.37f, 0.91f}) {
            for (const float min_p : {0.0f, 0.013f}) {
              rows.push_back({.row = static_cast<int32_t>(rows.size()),
                              .temperature = temperature,
                              .top_k = top_k,
                              .top_p = top_p,
                              .min_p = min_p,
                              .uniform = Uniform()});
            }
          }
        }
      }
      at::Tensor all = Logits(std::vector<std::vector<float>>(rows.size(), logits));
      const std::vector<int32_t> ids = SampleRows(rows, {}, all).Wait();
      EXPECT_EQ(InBatches(40, rows, all), ids);
      EXPECT_EQ(InBatches(16, rows, all), ids);
      for (size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(ids[i], Reference(logits, rows[i]))
            << vocab_size << " logits of " << levels << " values, temperature "
            << rows[i].temperature << " top_k " << rows[i].top_k << " top_p " << rows[i].top_p
            << " min_p " << rows[i].min_p << " uniform " << rows[i].uniform;
      }
    }
  }
}

TEST_P(SampleRowsTest, ADrawCoversEveryTokenThatIsLeftAndNoOther) {
  // Shares of 8, 4, 2, 1 and 1 sixteenths, by id: 2, 8, 1, 4, 1.
  const std::vector<float> logits = {std::log(2.0f), std::log(8.0f), 0, std::log(4.0f), 0};
  const auto drawn = [&](float top_p) {
    std::vector<RowSampling> rows;
    for (int i = 0; i < 16; ++i) {
      rows.push_back({.row = i, .temperature = 1, .top_p = top_p, .uniform = (i + 0.5) / 16});
    }
    at::Tensor all = Logits(std::vector<std::vector<float>>(16, logits));
    std::vector<int32_t> counts(5);
    for (const int32_t id : SampleRows(rows, {}, all).Wait()) ++counts[static_cast<size_t>(id)];
    return counts;
  };
  EXPECT_EQ(drawn(1), (std::vector<int32_t>{2, 8, 1, 4, 1}));
  EXPECT_EQ(drawn(0.9f), (std::vector<int32_t>{2, 9, 1, 4, 0}));  // of equals the lower id
  EXPECT_EQ(drawn(0.4f), (std::vector<int32_t>{0, 16, 0, 0, 0}));
}

TEST_P(SampleRowsTest, TheEndsOfADrawAreTheFirstAndTheLastTokenThatIsLeft) {
  constexpr double kBelowOne = 1 - 0x1.0p-53;
  std::vector<float> logits(40000, 1);
  logits.front() = -kInfinity;
  logits.back() = -kInfinity;
  at::Tensor all = Logits({logits, logits, logits, logits});
  EXPECT_EQ(SampleRows({{.row = 0, .temperature = 1, .uniform = 0},
                        {.row = 1, .temperature = 1, .uniform = kBelowOne},
                        {.row = 2, .temperature = 1, .top_k = 7, .uniform = kBelowOne},
                        {.row = 3, .temperature = 1, .top_p = 0.5f, .uniform = kBelowOne}},
                       {}, all)
                .Wait(),
            (std::vector<int32_t>{1, 39998, 7, 19999}));
}

TEST_P(SampleRowsTest, TokensAreThoseOfTheirStepWhateverIsStartedBeforeTheyAreRead) {
  at::Tensor logits = Logits({{0, 1, 0}, {0, 0, 1}});
  const SampledRows first = SampleRows({{.row = 0}, {.row = 1}}, {}, logits);
  logits.copy_(Logits({{1, 0, 0}, {1, 0, 0}}), /*non_blocking=*/true);
  const SampledRows second = SampleRows({{.row = 1}}, {}, logits);
  EXPECT_TRUE(first.ids().equal(Ints({1, 2})));
  EXPECT_TRUE(second.ids().equal(Ints({0})));
  EXPECT_EQ(first.Wait(), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(second.Wait(), (std::vector<int32_t>{0}));
}

TEST_P(SampleRowsTest, NoRowsHaveNoTokens) {
  at::Tensor logits = Logits({{0, 1}});
  EXPECT_TRUE(SampleRows({}, {}, logits).Wait().empty());
}

INSTANTIATE_TEST_SUITE_P(Targets, SampleRowsTest, ::testing::ValuesIn(Float32Targets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
