#include "engine/kernels/window_scores.h"

#include <ATen/ops/ones.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/engine/kernels/kernel_test.h"
#include "tests/engine/kernels/one_thread.h"
#include "tests/engine/kernels/written_out_attention.h"

namespace windowkv {
namespace {

class TokenScoresTest : public KernelTest {
 protected:
  // [num_heads, tokens - observation] float64.
  static at::Tensor Expected(const at::Tensor& q, const at::Tensor& k, double scale) {
    const OneThread one_thread;
    return CausalLogits(q, k, scale).softmax(-1).slice(2, 0, k.size(0) - q.size(0)).sum(1);
  }

  void ExpectScores(int64_t tokens, int64_t observation, int64_t group, int64_t head_dim) {
    SCOPED_TRACE(std::to_string(tokens) + " tokens, observation " + std::to_string(observation) +
                 ", group " + std::to_string(group) + ", head_dim " + std::to_string(head_dim));
    const at::Tensor q = Random({observation, 2 * group, head_dim}) * 4;
    const at::Tensor k = Random({tokens, 2, head_dim});
    const at::Tensor scores = TokenScores(q, k, 0.3f);
    EXPECT_EQ(scores.scalar_type(), at::kFloat);
    ExpectClose(scores, Expected(q, k, 0.3f), 5e-6);
    // What is left of each query's mass lies in the observation window.
    EXPECT_LE(scores.sum(1).max().item<double>(), static_cast<double>(observation));
  }
};

TEST_P(TokenScoresTest, EqualTheAttentionOfTheObservationQueriesWrittenOut) {
  for (const int64_t tokens : {2, 17, 50, 300}) {
    for (const int64_t observation : {1, 7, 16, 32}) {
      if (observation >= tokens) continue;
      for (const int64_t group : {1, 3, 4}) ExpectScores(tokens, observation, group, 24);
    }
  }
}

TEST_P(TokenScoresTest, LongPromptsAreScoredInParts) {
  for (const int64_t tokens : {1023, 1024, 1025, 2500}) ExpectScores(tokens, 16, 2, 16);
}

INSTANTIATE_TEST_SUITE_P(Targets, TokenScoresTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

class WindowScoresTest : public KernelTest {
 protected:
  // Window scores in float64, straight from the definition.
  static std::vector<double> Expected(const at::Tensor& scores, int64_t window_size,
                                      WindowReduction reduction) {
    const at::Tensor here = scores.to(at::kCPU);
    const float* values = here.const_data_ptr<float>();
    const int64_t heads = scores.size(0);
    const int64_t tokens = scores.size(1);
    std::vector<double> result;
    for (int64_t begin = 0; begin < tokens; begin += window_size) {
      const int64_t length = std::min(window_size, tokens - begin);
      const int64_t top = std::max<int64_t>(1, std::min(window_size / 2, length));
      const int64_t counted = reduction == WindowReduction::kMean ? length : top;
      double sum = 0;
      for (int64_t head = 0; head < heads; ++head) {
        const float* first = values + head * tokens + begin;
        std::vector<double> window(first, first + length);
        std::sort(window.begin(), window.end(), std::greater<>());
        for (int64_t i = 0; i < counted; ++i) sum += window[i];
      }
      result.push_back(sum / static_cast<double>(heads * counted));
    }
    return result;
  }
};

TEST_P(WindowScoresTest, EqualTheDefinitionForAnyWindow) {
  for (const int64_t tokens : {1, 7, 8, 9, 100, 1500}) {
    const at::Tensor scores = Random({3, tokens}) + 1;
    for (const int32_t window_size : {1, 2, 3, 8, 31, 1024}) {
      for (const auto reduction : {WindowReduction::kMean, WindowReduction::kTopHalfMean}) {
        const at::Tensor actual = WindowScores(scores, window_size, reduction).to(at::kCPU);
        const std::vector<double> expected = Expected(scores, window_size, reduction);
        ASSERT_EQ(actual.numel(), static_cast<int64_t>(expected.size()));
        for (size_t w = 0; w < expected.size(); ++w) {
          EXPECT_NEAR(actual.const_data_ptr<float>()[w], expected[w], 1e-4)
              << tokens << " by " << window_size;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, WindowScoresTest, ::testing::ValuesIn(Float32Targets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
