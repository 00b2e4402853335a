#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/layer_groups.h"
#include "engine/cache_policy/policy.h"
#include "engine/cache_policy/window_selection.h"
#include "engine/kernels/window_scores.h"
#include "tests/engine/cache_policy/random_prompt.h"
#include "tests/testing/golden_file.h"

namespace windowkv {
namespace {

using nlohmann::json;

// The token scores that a golden case describes by a formula: [num_heads, review] float32.
at::Tensor FormulaScores(const json& formula, int64_t num_heads, int64_t review, int64_t group) {
  at::Tensor scores = at::empty({num_heads, review}, at::TensorOptions().dtype(at::kFloat));
  float* out = scores.mutable_data_ptr<float>();
  const int64_t modulus = formula["modulus"];
  const float divisor = static_cast<float>(formula["divisor"].get<int64_t>());
  for (int64_t h = 0; h < num_heads; ++h) {
    for (int64_t j = 0; j < review; ++j) {
      const int64_t value =
          h * formula["head_step"].get<int64_t>() + j * formula["token_step"].get<int64_t>() +
          group * formula["group_step"].get<int64_t>() + formula["seed"].get<int64_t>();
      *out++ = static_cast<float>(value % modulus) / divisor;
    }
  }
  return scores;
}

void ExpectGroupAsReference(const json& test, const CacheConfig& config, const LayerGroup& group,
                            const json& expected, int64_t index) {
  const int32_t tokens = test["prompt_tokens"];
  EXPECT_EQ(group.first_layer, expected["first_layer"]);
  EXPECT_EQ(group.num_layers, expected["num_layers"]);
  EXPECT_EQ(group.budget_tokens, expected["budget_tokens"]);
  at::Tensor scores = NoScores(at::kCPU);
  if (MustSelectWindows(config, group.budget_tokens, tokens)) {
    const int64_t review = tokens - ObservationTokens(config, tokens);
    scores = WindowScores(FormulaScores(test["scores"], test["num_heads"], review, index),
                          config.window_size,
                          config.strategy == Strategy::kMean ? WindowReduction::kMean
                                                             : WindowReduction::kTopHalfMean);
  }
  const KeptTokens kept = testing::Selected(config, group.budget_tokens, tokens, scores);
  EXPECT_EQ(kept.heads.front(), testing::ToRanges(expected["kept_ranges"]));
  EXPECT_LE(kept.count(), MaxWindowTokens(config, group.budget_tokens, tokens));
}

TEST(WindowSelectionGoldenTest, BudgetsAndKeptWindowsEqualThePlainReference) {
  const json golden = testing::ReadJson(testing::GoldenPath("window_selection.json"));
  ASSERT_GE(golden["cases"].size(), 60u);
  for (const json& test : golden["cases"]) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const CacheConfig config = testing::ToCacheConfig(test["options"]);
    const int32_t tokens = test["prompt_tokens"];
    if (test.contains("error")) {
      EXPECT_GT(CountTokens(AlwaysKept(config, tokens)), config.budget_tokens);
      continue;
    }
    const std::vector<LayerGroup> groups =
        WindowKvPolicy().Plan(config, test["num_layers"], tokens);
    ASSERT_EQ(groups.size(), test["groups"].size());
    for (size_t g = 0; g < groups.size(); ++g) {
      SCOPED_TRACE("group " + std::to_string(g));
      ExpectGroupAsReference(test, config, groups[g], test["groups"][g], static_cast<int64_t>(g));
    }
  }
}

// q or k of a golden case: [positions, heads, head_dim].
at::Tensor FormulaVectors(int64_t first, int64_t last, int64_t heads, int64_t head_dim,
                          int64_t seed) {
  at::Tensor x = at::empty({last - first, heads, head_dim}, at::TensorOptions().dtype(at::kFloat));
  float* out = x.mutable_data_ptr<float>();
  for (int64_t p = first; p < last; ++p) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t d = 0; d < head_dim; ++d) {
        *out++ = static_cast<float>((h * 31 + p * 1009 + d * 7919 + seed) % 257 - 128) / 64;
      }
    }
  }
  return x;
}

void ExpectNear(const at::Tensor& actual, const json& expected) {
  ASSERT_EQ(static_cast<size_t>(actual.numel()), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const float value = expected[i];
    EXPECT_NEAR(actual.const_data_ptr<float>()[i], value, 1e-5f * std::max(1.0f, value))
        << "at " << i;
  }
}

TEST(WindowSelectionGoldenTest, TokenAndWindowScoresEqualThePlainReference) {
  const json golden = testing::ReadJson(testing::GoldenPath("window_scores.json"));
  ASSERT_FALSE(golden["cases"].empty());
  for (const json& test : golden["cases"]) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const int64_t tokens = test["prompt_tokens"];
    const int64_t observation = test["observation_tokens"];
    const int64_t head_dim = test["head_dim"];
    const int64_t seed = test["seed"];
    const at::Tensor q =
        FormulaVectors(tokens - observation, tokens, test["num_heads"], head_dim, seed);
    const at::Tensor k = FormulaVectors(0, tokens, test["num_kv_heads"], head_dim, seed + 101);
    const at::Tensor scores = TokenScores(q, k, 1.0f / std::sqrt(static_cast<float>(head_dim)));
    for (size_t head = 0; head < test["token_scores"].size(); ++head) {
      ExpectNear(scores[static_cast<int64_t>(head)], test["token_scores"][head]);
    }
    const int32_t window = test["window_size"];
    ExpectNear(WindowScores(scores, window, WindowReduction::kMean), test["mean"]);
    ExpectNear(WindowScores(scores, window, WindowReduction::kTopHalfMean), test["top_half_mean"]);
  }
}

}  // namespace
}  // namespace windowkv
