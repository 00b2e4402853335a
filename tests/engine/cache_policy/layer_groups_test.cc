#include "engine/cache_policy/layer_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/policy.h"
#include "tests/engine/cache_policy/random_prompt.h"

namespace windowkv {
namespace {

using testing::DrawPrompt;
using testing::RandomPrompt;

CacheConfig Config(BudgetAccounting accounting, int32_t budget, int32_t shared_layers) {
  CacheConfig config = testing::WindowKvConfig(budget, shared_layers);
  config.accounting = accounting;
  if (accounting == BudgetAccounting::kReviewOnly) config.sink_tokens = 0;
  return config;
}

std::vector<int32_t> Budgets(const std::vector<LayerGroup>& groups) {
  std::vector<int32_t> budgets;
  for (const LayerGroup& group : groups) budgets.push_back(group.budget_tokens);
  return budgets;
}

int64_t SumOverLayers(const std::vector<LayerGroup>& groups) {
  int64_t sum = 0;
  for (const LayerGroup& group : groups) sum += int64_t{group.num_layers} * group.budget_tokens;
  return sum;
}

void ExpectEveryLayerOnce(const std::vector<LayerGroup>& groups, const CacheConfig& config,
                          int32_t num_layers) {
  int32_t next = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    EXPECT_EQ(groups[g].first_layer, next);
    EXPECT_GE(groups[g].num_layers, 1);
    if (g + 1 < groups.size()) {
      EXPECT_EQ(groups[g].num_layers, config.shared_layers);
    }
    next += groups[g].num_layers;
  }
  EXPECT_EQ(next, num_layers);
}

void ExpectNonIncreasing(const std::vector<LayerGroup>& groups) {
  for (size_t g = 1; g < groups.size(); ++g) {
    EXPECT_LE(groups[g].budget_tokens, groups[g - 1].budget_tokens) << "group " << g;
  }
  EXPECT_GE(groups.back().budget_tokens, 0);
}

TEST(LayerGroupsTest, FullIsOneGroupThatKeepsThePrompt) {
  const std::vector<LayerGroup> groups = FullPolicy().Plan(CacheConfig{}, 32, 7950);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].num_layers, 32);
  EXPECT_EQ(groups[0].budget_tokens, 7950);
}

// Llama-3-8B's shape with the authors' parameters.
TEST(LayerGroupsTest, ReviewOnlyGivesTheAuthorsBudgets) {
  const auto budgets = [](int32_t cap) {
    return Budgets(WindowKvPolicy().Plan(Config(BudgetAccounting::kReviewOnly, cap, 8), 32, 7950));
  };
  EXPECT_EQ(budgets(2048), (std::vector<int32_t>{2926, 2341, 1756, 1170}));
  EXPECT_EQ(budgets(1024), (std::vector<int32_t>{1463, 1171, 879, 585}));
  EXPECT_EQ(budgets(512), (std::vector<int32_t>{732, 586, 440, 292}));
}

TEST(LayerGroupsTest, OneGroupGetsTheWholeMean) {
  for (const auto accounting : {BudgetAccounting::kTotal, BudgetAccounting::kReviewOnly}) {
    EXPECT_EQ(Budgets(WindowKvPolicy().Plan(Config(accounting, 300, 12), 12, 5000)),
              std::vector<int32_t>{300});
    EXPECT_EQ(Budgets(WindowKvPolicy().Plan(Config(accounting, 300, 1), 1, 5000)),
              std::vector<int32_t>{300});
  }
}

TEST(LayerGroupsTest, OneLayerPerGroupSpendsTheWholeBudgetOnAPyramid) {
  const std::vector<LayerGroup> groups =
      WindowKvPolicy().Plan(Config(BudgetAccounting::kTotal, 300, 1), 12, 5000);
  ASSERT_EQ(groups.size(), 12u);
  ExpectNonIncreasing(groups);
  EXPECT_GT(groups.front().budget_tokens, 2 * groups.back().budget_tokens);
  EXPECT_LE(SumOverLayers(groups), 300 * 12);
  EXPECT_GT(SumOverLayers(groups), 299 * 12);
}

TEST(LayerGroupsTest, AShortLastGroupDoesNotBreakTheBudget) {
  for (int32_t layers = 2; layers <= 13; ++layers) {
    for (int32_t shared = 1; shared <= layers; ++shared) {
      const CacheConfig config = Config(BudgetAccounting::kTotal, 200, shared);
      const std::vector<LayerGroup> groups = WindowKvPolicy().Plan(config, layers, 5000);
      ExpectEveryLayerOnce(groups, config, layers);
      ExpectNonIncreasing(groups);
      EXPECT_LE(SumOverLayers(groups), int64_t{200} * layers) << layers << " by " << shared;
    }
  }
}

TEST(LayerGroupsTest, APromptWithinTheBudgetIsKeptInEveryLayer) {
  for (const int32_t tokens : {1, 15, 16, 100, 300}) {
    for (const int32_t budget :
         Budgets(WindowKvPolicy().Plan(Config(BudgetAccounting::kTotal, 300, 2), 6, tokens))) {
      EXPECT_EQ(budget, tokens);
    }
  }
}

TEST(LayerGroupsTest, TotalBudgetsAreNeverExceededAndNeverGrowWithDepth) {
  std::mt19937 random(1);
  for (int round = 0; round < 4000; ++round) {
    const RandomPrompt prompt =
        DrawPrompt(random, CachePolicy::kWindowKv, BudgetAccounting::kTotal);
    SCOPED_TRACE(prompt.Describe());
    const std::vector<LayerGroup> groups =
        WindowKvPolicy().Plan(prompt.config, prompt.num_layers, prompt.prompt_tokens);
    ExpectEveryLayerOnce(groups, prompt.config, prompt.num_layers);
    ExpectNonIncreasing(groups);
    const int64_t limit = int64_t{prompt.config.budget_tokens} * prompt.num_layers;
    EXPECT_LE(SumOverLayers(groups), limit);
    EXPECT_LE(groups.front().budget_tokens, prompt.prompt_tokens);
    EXPECT_GE(groups.back().budget_tokens,
              CountTokens(AlwaysKept(prompt.config, prompt.prompt_tokens)));
    // What is left over is less than one more token for every layer.
    const int64_t most = std::min(limit, int64_t{prompt.prompt_tokens} * prompt.num_layers);
    EXPECT_GT(SumOverLayers(groups), most - prompt.num_layers);
    if (::testing::Test::HasFailure()) break;
  }
}

TEST(LayerGroupsTest, ReviewOnlyBudgetsNeverGrowWithDepth) {
  std::mt19937 random(2);
  for (int round = 0; round < 4000; ++round) {
    const RandomPrompt prompt =
        DrawPrompt(random, CachePolicy::kWindowKv, BudgetAccounting::kReviewOnly);
    SCOPED_TRACE(prompt.Describe());
    const std::vector<LayerGroup> groups =
        WindowKvPolicy().Plan(prompt.config, prompt.num_layers, prompt.prompt_tokens);
    ExpectEveryLayerOnce(groups, prompt.config, prompt.num_layers);
    ExpectNonIncreasing(groups);
    EXPECT_LE(groups.back().budget_tokens, prompt.config.budget_tokens);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace windowkv
