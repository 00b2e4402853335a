#include "tests/testing/policy_golden.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/kernels/key_mass.h"
#include "tests/engine/cache_policy/random_prompt.h"

namespace windowkv {
namespace {

using nlohmann::json;

// Queries or keys that a golden case describes by a formula: [tokens, heads, head_dim] float32.
at::Tensor FormulaVectors(const json& formula, int64_t tokens, int64_t heads, int64_t head_dim,
                          int64_t offset) {
  const int64_t head_step = formula["head_step"];
  const int64_t token_step = formula["token_step"];
  const int64_t dim_step = formula["dim_step"];
  const int64_t modulus = formula["modulus"];
  const auto divisor = static_cast<float>(formula["divisor"].get<int64_t>());
  at::Tensor x = at::empty({tokens, heads, head_dim}, at::TensorOptions().dtype(at::kFloat));
  float* out = x.mutable_data_ptr<float>();
  for (int64_t p = 0; p < tokens; ++p) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t d = 0; d < head_dim; ++d) {
        const int64_t value = h * head_step + p * token_step + d * dim_step + offset;
        const int64_t folded = value * value % modulus - modulus / 2;
        *out++ = static_cast<float>(folded) / divisor;
      }
    }
  }
  return x;
}

at::Tensor Observe(const json& test, const CacheConfig& config) {
  const Policy& policy = PolicyOf(config.policy);
  const json& formula = test["vectors"];
  const int64_t tokens = test["prompt_tokens"];
  const int64_t num_heads = test["num_heads"];
  const int64_t head_dim = test["head_dim"];
  const int64_t seed = formula["seed"];
  const at::Tensor q = FormulaVectors(formula, tokens, num_heads, head_dim, seed);
  LayerAttention attention;
  attention.k = FormulaVectors(formula, tokens, test["num_kv_heads"], head_dim,
                               seed + formula["key_offset"].get<int64_t>());
  attention.scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  if (policy.observed() == ObservedQueries::kLast) {
    attention.last_q = q.slice(0, std::max<int64_t>(0, tokens - config.observation_tokens));
  } else if (policy.observed() == ObservedQueries::kAll) {
    at::Tensor logsumexp = at::empty({num_heads, tokens}, q.options());
    attention.key_mass = at::zeros_like(logsumexp);
    RowLogSumExp(q, attention.k, attention.scale, logsumexp);
    KeyMass(q, attention.k, logsumexp, attention.scale, attention.key_mass);
  }
  return policy.Observe(config, attention).values;
}

std::vector<int32_t> LayerBudgets(const std::vector<LayerGroup>& groups) {
  std::vector<int32_t> budgets;
  for (const LayerGroup& group : groups) {
    EXPECT_EQ(group.first_layer, static_cast<int32_t>(budgets.size()));
    budgets.insert(budgets.end(), group.num_layers, group.budget_tokens);
  }
  return budgets;
}

void ExpectLayerAsReference(const json& test, const CacheConfig& config, int32_t budget) {
  const Policy& policy = PolicyOf(config.policy);
  const int32_t tokens = test["prompt_tokens"];
  const size_t heads = test["num_kv_heads"];
  at::Tensor scores = NoScores(at::kCPU);
  if (policy.MustSelect(config, budget, tokens)) scores = Observe(test, config);
  const KeptTokens kept = testing::Selected(config, budget, tokens, scores);
  const auto expected = testing::ToHeadRanges(test["kept_ranges"], heads);
  EXPECT_EQ(testing::ForEachHead(kept.heads, heads), expected);
  EXPECT_EQ(kept.count(), CountTokens(expected.front()));
  EXPECT_LE(kept.count(), policy.MaxKept(config, budget, tokens));
}

TEST(PolicyGoldenTest, BudgetsAndKeptTokensEqualThePlainReference) {
  const json golden = testing::ReadJson(testing::GoldenPath("policy_selection.json"));
  ASSERT_GE(golden["cases"].size(), 150u);
  for (const json& test : golden["cases"]) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const int32_t layers = test["num_layers"];
    const int32_t tokens = test["prompt_tokens"];
    const auto config = testing::ResolvePolicyOptions(test["options"], layers, tokens);
    if (test.contains("error")) {
      EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << config.status();
      continue;
    }
    ASSERT_TRUE(config.ok()) << config.status();
    const std::vector<int32_t> budgets =
        LayerBudgets(PolicyOf(config->policy).Plan(*config, layers, tokens));
    ASSERT_EQ(budgets, test["layer_budgets"].get<std::vector<int32_t>>());
    ExpectLayerAsReference(test, *config, budgets[test["layer"].get<size_t>()]);
  }
}

}  // namespace
}  // namespace windowkv
