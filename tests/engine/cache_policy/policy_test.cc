#include "engine/cache_policy/policy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/cache_policy/always_kept.h"
#include "tests/engine/cache_policy/random_prompt.h"

// What holds for every cache policy.

namespace windowkv {
namespace {

using testing::DrawPrompt;
using testing::DrawScores;
using testing::RandomPrompt;
using testing::Selected;

constexpr int32_t kKvHeads = 3;

bool Holds(const std::vector<TokenRange>& ranges, const TokenRange& inner) {
  for (const TokenRange& range : ranges) {
    if (range.begin <= inner.begin && inner.end <= range.end) return true;
  }
  return false;
}

class PolicyTest : public ::testing::TestWithParam<CachePolicy> {
 protected:
  const Policy& policy() const { return PolicyOf(GetParam()); }

  KeptTokens Select(const RandomPrompt& prompt, const LayerGroup& group) {
    return Selected(prompt.config, group.budget_tokens, prompt.prompt_tokens,
                    DrawScores(random_, prompt.config, prompt.prompt_tokens, kKvHeads));
  }

  std::mt19937 random_{5};
};

TEST_P(PolicyTest, KeptTokensAreSortedApartInsideThePromptAndEquallyManyPerHead) {
  for (int round = 0; round < 1000; ++round) {
    const RandomPrompt prompt = DrawPrompt(random_, GetParam());
    SCOPED_TRACE(prompt.Describe());
    for (const LayerGroup& group :
         policy().Plan(prompt.config, prompt.num_layers, prompt.prompt_tokens)) {
      const KeptTokens kept = Select(prompt, group);
      ASSERT_FALSE(kept.heads.empty());
      for (const std::vector<TokenRange>& ranges : kept.heads) {
        int32_t end = -1;
        for (const TokenRange& range : ranges) {
          ASSERT_GT(range.begin, end);
          ASSERT_GT(range.end, range.begin);
          end = range.end;
        }
        ASSERT_LE(end, prompt.prompt_tokens);
        ASSERT_EQ(CountTokens(ranges), kept.count());
      }
    }
  }
}

TEST_P(PolicyTest, WhatIsAlwaysKeptIsKeptByEveryHead) {
  for (int round = 0; round < 1000; ++round) {
    const RandomPrompt prompt = DrawPrompt(random_, GetParam());
    SCOPED_TRACE(prompt.Describe());
    for (const LayerGroup& group :
         policy().Plan(prompt.config, prompt.num_layers, prompt.prompt_tokens)) {
      for (const std::vector<TokenRange>& ranges : Select(prompt, group).heads) {
        for (const TokenRange& always : AlwaysKept(prompt.config, prompt.prompt_tokens)) {
          ASSERT_TRUE(Holds(ranges, always));
        }
      }
    }
  }
}

TEST_P(PolicyTest, NoLayerKeepsMoreThanItsBudgetNorAllLayersMoreThanTheirs) {
  for (int round = 0; round < 1000; ++round) {
    const RandomPrompt prompt = DrawPrompt(random_, GetParam());
    SCOPED_TRACE(prompt.Describe());
    const bool bounded = GetParam() != CachePolicy::kFull;
    const int32_t mean = bounded ? prompt.config.budget_tokens : prompt.prompt_tokens;
    int64_t sum = 0;
    int32_t layers = 0;
    for (const LayerGroup& group :
         policy().Plan(prompt.config, prompt.num_layers, prompt.prompt_tokens)) {
      const int32_t kept = Select(prompt, group).count();
      ASSERT_LE(kept, group.budget_tokens);
      ASSERT_LE(kept, policy().MaxKept(prompt.config, group.budget_tokens, prompt.prompt_tokens));
      ASSERT_EQ(group.first_layer, layers);
      sum += int64_t{group.num_layers} * kept;
      layers += group.num_layers;
    }
    ASSERT_EQ(layers, prompt.num_layers);
    ASSERT_LE(sum, int64_t{mean} * prompt.num_layers);
  }
}

TEST_P(PolicyTest, APromptWithinTheBudgetIsKeptWholeWithoutScores) {
  for (int round = 0; round < 1000; ++round) {
    RandomPrompt prompt = DrawPrompt(random_, GetParam());
    if (prompt.config.budget_tokens == 0) prompt.config.budget_tokens = prompt.prompt_tokens;
    if (prompt.prompt_tokens > prompt.config.budget_tokens) continue;
    for (const LayerGroup& group :
         policy().Plan(prompt.config, prompt.num_layers, prompt.prompt_tokens)) {
      ASSERT_FALSE(policy().MustSelect(prompt.config, group.budget_tokens, prompt.prompt_tokens));
      ASSERT_EQ(
          Selected(prompt.config, group.budget_tokens, prompt.prompt_tokens, NoScores(at::kCPU)),
          (std::vector<TokenRange>{{0, prompt.prompt_tokens}}));
    }
  }
}

TEST_P(PolicyTest, ScoresThatAreNoNumbersAreKeptLast) {
  for (int round = 0; round < 200; ++round) {
    const RandomPrompt prompt = DrawPrompt(random_, GetParam());
    const LayerGroup group =
        policy().Plan(prompt.config, prompt.num_layers, prompt.prompt_tokens).front();
    at::Tensor scores = DrawScores(random_, prompt.config, prompt.prompt_tokens, kKvHeads);
    at::Tensor lowest = scores.clone();
    for (int64_t i = 0; i < scores.numel(); i += 3) {
      scores.mutable_data_ptr<float>()[i] = std::numeric_limits<float>::quiet_NaN();
      lowest.mutable_data_ptr<float>()[i] = -1;
    }
    const auto select = [&](const at::Tensor& from) {
      return Selected(prompt.config, group.budget_tokens, prompt.prompt_tokens, from).heads;
    };
    ASSERT_EQ(select(scores), select(lowest)) << prompt.Describe();
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, PolicyTest, ::testing::ValuesIn(testing::EveryPolicy()),
                         testing::PolicyTestName);

}  // namespace
}  // namespace windowkv
