#include "engine/cache_policy/window_selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/layer_groups.h"
#include "engine/cache_policy/policy.h"
#include "tests/engine/cache_policy/random_prompt.h"

namespace windowkv {
namespace {

using testing::DrawPrompt;
using testing::DrawScores;
using testing::RandomPrompt;
using Ranges = std::vector<TokenRange>;
using Values = std::vector<float>;

const Values kNone;

CacheConfig Config(BudgetAccounting accounting = BudgetAccounting::kTotal) {
  CacheConfig config;
  config.policy = CachePolicy::kWindowKv;
  config.accounting = accounting;
  config.window_size = 4;
  config.observation_tokens = 3;
  config.sink_tokens = 0;
  return config;
}

Ranges SelectWindows(const CacheConfig& config, int32_t budget, int32_t prompt_tokens,
                     const at::Tensor& scores) {
  return testing::Selected(config, budget, prompt_tokens, scores).heads.front();
}

Ranges SelectWindows(const CacheConfig& config, int32_t budget, int32_t prompt_tokens,
                     const std::vector<float>& scores) {
  at::Tensor tensor = NoScores(at::kCPU).resize_({1, static_cast<int64_t>(scores.size())});
  std::ranges::copy(scores, tensor.mutable_data_ptr<float>());
  return SelectWindows(config, budget, prompt_tokens, tensor);
}

bool Contains(const Ranges& ranges, int32_t token) {
  return std::any_of(ranges.begin(), ranges.end(), [token](const TokenRange& range) {
    return token >= range.begin && token < range.end;
  });
}

TEST(WindowSelectionTest, ExpandListsEveryIndexInOrder) {
  EXPECT_EQ(Expand({{1, 3}, {7, 8}}), (std::vector<int32_t>{1, 2, 7}));
  EXPECT_EQ(CountTokens({{1, 3}, {7, 8}}), 3);
  EXPECT_TRUE(Expand({}).empty());
}

TEST(WindowSelectionTest, AlwaysKeptJoinsSinkPinnedAndObservation) {
  CacheConfig config = Config();
  config.sink_tokens = 4;
  config.pinned = {{2, 6}, {10, 12}, {12, 14}};
  EXPECT_EQ(AlwaysKept(config, 100), (Ranges{{0, 6}, {10, 14}, {97, 100}}));
  EXPECT_EQ(AlwaysKept(config, 15), (Ranges{{0, 6}, {10, 15}}));
}

TEST(WindowSelectionTest, APromptShorterThanSinkAndObservationIsKeptOnce) {
  CacheConfig config = Config();
  config.sink_tokens = 50;
  config.observation_tokens = 50;
  EXPECT_EQ(AlwaysKept(config, 20), (Ranges{{0, 20}}));
  EXPECT_EQ(ObservationTokens(config, 20), 20);
}

TEST(WindowSelectionTest, KeepsEverythingWhenThePromptFitsTheBudget) {
  for (const int32_t tokens : {1, 2, 3, 4, 20}) {
    EXPECT_FALSE(MustSelectWindows(Config(), 20, tokens));
    EXPECT_EQ(SelectWindows(Config(), 20, tokens, kNone), (Ranges{{0, tokens}}));
  }
  EXPECT_TRUE(MustSelectWindows(Config(), 20, 21));
}

TEST(WindowSelectionTest, KeepsEverythingWhenTheReviewFitsTheBudgetUnderReviewOnly) {
  const CacheConfig config = Config(BudgetAccounting::kReviewOnly);
  EXPECT_EQ(SelectWindows(config, 20, 23, kNone), (Ranges{{0, 23}}));
  EXPECT_TRUE(MustSelectWindows(config, 20, 24));
}

TEST(WindowSelectionTest, APromptWithinTheObservationWindowIsKeptWhateverTheBudget) {
  CacheConfig config = Config(BudgetAccounting::kReviewOnly);
  config.observation_tokens = 16;
  EXPECT_EQ(SelectWindows(config, 0, 16, kNone), (Ranges{{0, 16}}));
  EXPECT_EQ(SelectWindows(config, 0, 5, kNone), (Ranges{{0, 5}}));
}

// 19 tokens: windows [0,4) [4,8) [8,12) [12,16), observation [16,19).
TEST(WindowSelectionTest, TakesWindowsByFallingScoreWithinTheBudget) {
  const std::vector<float> scores = {1, 4, 2, 3};
  EXPECT_EQ(SelectWindows(Config(), 3, 19, scores), (Ranges{{16, 19}}));
  EXPECT_EQ(SelectWindows(Config(), 6, 19, scores), (Ranges{{16, 19}}));
  EXPECT_EQ(SelectWindows(Config(), 7, 19, scores), (Ranges{{4, 8}, {16, 19}}));
  EXPECT_EQ(SelectWindows(Config(), 11, 19, scores), (Ranges{{4, 8}, {12, 19}}));
  EXPECT_EQ(SelectWindows(Config(), 15, 19, scores), (Ranges{{4, 19}}));
}

TEST(WindowSelectionTest, TiesGoToTheLowerWindow) {
  EXPECT_EQ(SelectWindows(Config(), 11, 19, Values{2, 2, 2, 2}), (Ranges{{0, 8}, {16, 19}}));
}

TEST(WindowSelectionTest, AScoreThatIsNotANumberLoses) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(SelectWindows(Config(), 7, 19, Values{nan, nan, -5, nan}), (Ranges{{8, 12}, {16, 19}}));
}

TEST(WindowSelectionTest, TokensKeptAnywayCostNothing) {
  CacheConfig config = Config();
  config.pinned = {{4, 8}, {9, 11}};
  // [4,8) is free; [8,12) costs two more.
  EXPECT_EQ(SelectWindows(config, 11, 19, Values{0, 9, 8, 7}), (Ranges{{4, 12}, {16, 19}}));
}

TEST(WindowSelectionTest, AShortLastWindowCostsItsOwnTokens) {
  // 17 tokens: the last window is [12,14).
  EXPECT_EQ(SelectWindows(Config(), 5, 17, Values{0, 0, 0, 9}), (Ranges{{12, 17}}));
}

TEST(WindowSelectionTest, APromptShorterThanAWindowHasOneWindowOfItsReview) {
  CacheConfig config = Config();
  config.window_size = 64;
  EXPECT_EQ(SelectWindows(config, 20, 40, Values{1}), (Ranges{{37, 40}}));
  config.pinned = {{0, 30}};
  EXPECT_EQ(SelectWindows(config, 39, 40, Values{1}), (Ranges{{0, 30}, {37, 40}}));
}

TEST(WindowSelectionTest, ReviewOnlyDropsTheAuthorsNumberOfWindows) {
  const CacheConfig config = Config(BudgetAccounting::kReviewOnly);
  const std::vector<float> scores = {1, 4, 2, 3};
  // ceil((16 - budget) / 4) windows are dropped; none is kept when that covers the review.
  EXPECT_EQ(SelectWindows(config, 15, 19, scores), (Ranges{{4, 19}}));
  EXPECT_EQ(SelectWindows(config, 8, 19, scores), (Ranges{{4, 8}, {12, 19}}));
  EXPECT_EQ(SelectWindows(config, 4, 19, scores), (Ranges{{4, 8}, {16, 19}}));
  EXPECT_EQ(SelectWindows(config, 3, 19, scores), (Ranges{{16, 19}}));
}

// The authors' counts for Llama-3-8B: 32 layers, 8 of which share, and 7,950 tokens.
TEST(WindowSelectionTest, WhatMayBeKeptIsTheAuthorsCountAndTheObservationTokens) {
  struct Row {
    int32_t group_budget;
    int32_t most_review_tokens;  // with a last window that is whole, or not kept
  };
  for (const int32_t observation : {16, 32}) {
    CacheConfig config = Config(BudgetAccounting::kReviewOnly);
    config.window_size = 8;
    config.observation_tokens = observation;
    for (const Row& row : {Row{2926, 2928}, Row{2341, 2336}, Row{1756, 1752}, Row{1170, 1168},
                           Row{1463, 1464}, Row{585, 584}, Row{732, 728}, Row{292, 288}}) {
      EXPECT_EQ(MaxWindowTokens(config, row.group_budget, 7950),
                row.most_review_tokens + observation);
    }
    EXPECT_EQ(MaxWindowTokens(config, 7950 - observation, 7950), 7950);
    EXPECT_EQ(MaxWindowTokens(config, 1, 7950), observation);
  }
}

void ExpectSortedApartAndInside(const Ranges& kept, int32_t prompt_tokens) {
  int32_t previous_end = -1;
  for (const TokenRange& range : kept) {
    EXPECT_GT(range.begin, previous_end);
    EXPECT_GT(range.end, range.begin);
    previous_end = range.end;
  }
  EXPECT_GE(kept.front().begin, 0);
  EXPECT_EQ(kept.back().end, prompt_tokens);
}

// Selects for every group; returns the sum over layers of what is kept.
int64_t KeptOverLayers(const RandomPrompt& prompt, std::mt19937& random) {
  const CacheConfig& config = prompt.config;
  const int32_t tokens = prompt.prompt_tokens;
  const Ranges always = AlwaysKept(config, tokens);
  int64_t sum = 0;
  for (const LayerGroup& group : WindowKvPolicy().Plan(config, prompt.num_layers, tokens)) {
    const Ranges kept =
        SelectWindows(config, group.budget_tokens, tokens, DrawScores(random, config, tokens, 1));
    ExpectSortedApartAndInside(kept, tokens);
    for (int32_t token : Expand(always)) EXPECT_TRUE(Contains(kept, token)) << token;
    EXPECT_LE(CountTokens(kept), MaxWindowTokens(config, group.budget_tokens, tokens));
    sum += int64_t{group.num_layers} * CountTokens(kept);
  }
  return sum;
}

TEST(WindowSelectionTest, TotalNeverKeepsMoreThanTheBudgetOverAllLayers) {
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    const RandomPrompt prompt =
        DrawPrompt(random, CachePolicy::kWindowKv, BudgetAccounting::kTotal);
    SCOPED_TRACE(prompt.Describe());
    EXPECT_LE(KeptOverLayers(prompt, random),
              int64_t{prompt.config.budget_tokens} * prompt.num_layers);
    if (::testing::Test::HasFailure()) break;
  }
}

TEST(WindowSelectionTest, ReviewOnlyNeverKeepsMoreThanAdmissionCountsWith) {
  std::mt19937 random(6);
  for (int round = 0; round < 2000; ++round) {
    const RandomPrompt prompt =
        DrawPrompt(random, CachePolicy::kWindowKv, BudgetAccounting::kReviewOnly);
    SCOPED_TRACE(prompt.Describe());
    KeptOverLayers(prompt, random);
    if (::testing::Test::HasFailure()) break;
  }
}

// The same budget spent at most a window short: nothing that fits is left out.
TEST(WindowSelectionTest, TotalLeavesLessThanOneWindowUnused) {
  std::mt19937 random(8);
  for (int round = 0; round < 2000; ++round) {
    const RandomPrompt prompt =
        DrawPrompt(random, CachePolicy::kWindowKv, BudgetAccounting::kTotal);
    SCOPED_TRACE(prompt.Describe());
    const CacheConfig& config = prompt.config;
    for (const LayerGroup& group :
         WindowKvPolicy().Plan(config, prompt.num_layers, prompt.prompt_tokens)) {
      const Ranges kept = SelectWindows(config, group.budget_tokens, prompt.prompt_tokens,
                                        DrawScores(random, config, prompt.prompt_tokens, 1));
      EXPECT_GT(CountTokens(kept), group.budget_tokens - config.window_size);
    }
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace windowkv
