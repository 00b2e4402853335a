#include "engine/cache_policy/cache_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/cache_policy/layer_groups.h"
#include "engine/cache_policy/policy.h"
#include "tests/engine/cache_policy/random_prompt.h"
#include "tests/engine/cache_policy/small_model.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;
using testing::kShape;
using testing::Uniform;
using testing::WindowKvOptions;

absl::StatusOr<CacheConfig> Resolve(const CacheOptions& options, int32_t prompt_tokens = 4000,
                                    Task task = Task::kLocalization,
                                    const CacheDefaults& defaults = {}) {
  std::vector<TokenRange> pinned;
  for (const PinnedSpan& span : options.pinned) pinned.push_back(std::get<TokenRange>(span));
  return ResolveCacheOptions(options, {defaults, {}, kShape}, task, prompt_tokens, pinned);
}

TEST(CacheConfigTest, FullResolvesToFullWhateverTheDefaults) {
  CacheDefaults defaults;
  defaults.policy = CachePolicy::kWindowKv;
  CacheOptions options;
  options.policy = CachePolicy::kFull;
  EXPECT_EQ(Resolve(options, 4000, Task::kLocalization, defaults)->policy, CachePolicy::kFull);
}

TEST(CacheConfigTest, ReviewOnlyKeepsNoSinkTokensByDefault) {
  CacheOptions options = WindowKvOptions();
  options.accounting = BudgetAccounting::kReviewOnly;
  EXPECT_EQ(Resolve(options)->sink_tokens, 0);
}

TEST(CacheConfigTest, UnsetOptionsTakeTheServersDefaults) {
  CacheDefaults defaults;
  defaults.policy = CachePolicy::kWindowKv;
  defaults.budget_tokens = 300;
  defaults.window_size = 5;
  defaults.shared_layers = 3;
  defaults.beta = 7;
  defaults.sink_tokens = 2;
  const CacheConfig config = *Resolve({}, 4000, Task::kLocalization, defaults);
  EXPECT_EQ(config.policy, CachePolicy::kWindowKv);
  EXPECT_EQ(config.budget_tokens, 300);
  EXPECT_EQ(config.window_size, 5);
  EXPECT_EQ(config.shared_layers, 3);
  EXPECT_EQ(config.beta, 7);
  EXPECT_EQ(config.sink_tokens, 2);
  EXPECT_EQ(config.accounting, BudgetAccounting::kTotal);
}

TEST(CacheConfigTest, TheDefaultPyramidHasThePapersSlopeHoweverManyLayersShare) {
  CacheOptions options = WindowKvOptions();
  for (const auto& [shared_layers, beta] :
       std::vector<std::pair<int32_t, int32_t>>{{1, 2}, {2, 4}, {4, 7}, {8, 14}}) {
    options.shared_layers = shared_layers;
    EXPECT_EQ(Resolve(options)->beta, beta) << shared_layers;
  }
}

TEST(CacheConfigTest, EachPolicyHasItsDefaultsAndZeroForWhatItDoesNotKnow) {
  struct Row {
    CachePolicy policy;
    int32_t budget_tokens;
    int32_t window_size;
    int32_t shared_layers;
    int32_t observation_tokens;
    int32_t beta;
    std::optional<Strategy> strategy;
    int32_t sink_tokens;
  };
  for (const Row& row : {
           Row{CachePolicy::kFull, 0, 0, 0, 0, 0, {}, 0},
           Row{CachePolicy::kWindowKv, 1024, 8, 2, 16, 4, Strategy::kMean, 4},
           Row{CachePolicy::kStreamingLlm, 1024, 0, 0, 0, 0, {}, 4},
           Row{CachePolicy::kSnapKv, 1024, 0, 0, 32, 0, {}, 4},
           Row{CachePolicy::kPyramidKv, 1024, 0, 0, 32, 20, {}, 4},
           Row{CachePolicy::kH2o, 1024, 0, 0, 0, 0, {}, 4},
       }) {
    SCOPED_TRACE(PolicyOf(row.policy).name());
    CacheOptions options;
    options.policy = row.policy;
    const auto config = Resolve(options);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->policy, row.policy);
    EXPECT_EQ(config->budget_tokens, row.budget_tokens);
    EXPECT_EQ(config->window_size, row.window_size);
    EXPECT_EQ(config->shared_layers, row.shared_layers);
    EXPECT_EQ(config->observation_tokens, row.observation_tokens);
    EXPECT_EQ(config->beta, row.beta);
    EXPECT_EQ(config->strategy, row.strategy);
    EXPECT_EQ(config->accounting, BudgetAccounting::kTotal);
    EXPECT_EQ(config->sink_tokens, row.sink_tokens);
    EXPECT_TRUE(config->pinned.empty());
  }
}

TEST(CacheConfigTest, ABudgetInBytesOrAsAFractionIsLimitedByTheTokensItComesTo) {
  const CacheRules rules{{}, {.budget_tokens = 600}, kShape};
  const auto resolve = [&rules](const CacheOptions& options, int32_t prompt_tokens) {
    return ResolveCacheOptions(options, rules, Task::kLocalization, prompt_tokens, {});
  };
  CacheOptions options = WindowKvOptions();
  options.budget = BudgetFraction{0.5};
  EXPECT_EQ(resolve(options, 1200)->budget_tokens, 600);
  EXPECT_EQ(FieldOf(resolve(options, 1202).status()), "cache.budget_fraction");
  options.budget = BudgetBytes{INT64_MAX};
  EXPECT_TRUE(resolve(options, 600).ok());
  EXPECT_EQ(FieldOf(resolve(options, 601).status()), "cache.budget_bytes");
  options = {};
  options.policy = CachePolicy::kFull;
  EXPECT_TRUE(resolve(options, 600).ok());
  EXPECT_EQ(FieldOf(resolve(options, 601).status()), "cache.policy");
}

TEST(CacheConfigTest, UnderReviewOnlyTheLimitIsForWhatIsKeptObservationTokensIncluded) {
  const CacheRules rules{{}, {.budget_tokens = 600}, kShape};
  CacheOptions options = WindowKvOptions();
  options.accounting = BudgetAccounting::kReviewOnly;
  options.shared_layers = 8;
  options.observation_tokens = 32;
  const auto resolve = [&](int32_t budget, int32_t prompt_tokens) {
    options.budget = BudgetTokens{budget};
    return ResolveCacheOptions(options, rules, Task::kLocalization, prompt_tokens, {}).status();
  };
  // 71 windows, and 72.
  EXPECT_TRUE(resolve(575, 4000).ok()) << resolve(575, 4000);
  EXPECT_EQ(FieldOf(resolve(576, 4000)), "cache.budget_tokens");
  EXPECT_THAT(std::string(resolve(576, 4000).message()),
              HasSubstr("comes to 576 tokens per layer, with which 608 may be kept under "
                        "cache.accounting REVIEW_ONLY, must keep at most 600"));
  EXPECT_TRUE(resolve(600, 600).ok()) << "nothing is kept that the prompt does not have";
  options.budget = {};
  const auto by_default =
      ResolveCacheOptions(options, rules, Task::kLocalization, /*prompt_tokens=*/4000, {});
  ASSERT_TRUE(by_default.ok()) << by_default.status();
  EXPECT_LT(by_default->budget_tokens, 576);
  EXPECT_GE(by_default->budget_tokens, 560) << "no lower than it must be, but for a window";
  // A last group of one layer, whose share of the pyramid is the smallest.
  options.shared_layers = 7;
  EXPECT_FALSE(resolve(568, 4000).ok());
}

TEST(CacheConfigTest, DefaultsAreCutToTheServersLimits) {
  const CacheLimits limits{.budget_tokens = 600,
                           .window_size = 6,
                           .observation_tokens = 12,
                           .beta = 3,
                           .sink_tokens = 2};
  for (const CachePolicy policy : {CachePolicy::kWindowKv, CachePolicy::kPyramidKv}) {
    CacheOptions options;
    options.policy = policy;
    const CacheConfig config =
        *ResolveCacheOptions(options, {{}, limits, kShape}, Task::kLocalization, 4000, {});
    EXPECT_EQ(config.budget_tokens, 600);
    EXPECT_EQ(config.observation_tokens, 12);
    EXPECT_EQ(config.beta, 3);
    EXPECT_EQ(config.sink_tokens, 2);
    EXPECT_EQ(config.window_size, policy == CachePolicy::kWindowKv ? 6 : 0);
  }
}

TEST(CacheConfigTest, DefaultsAreCutToSmallModels) {
  CacheDefaults defaults;
  defaults.policy = CachePolicy::kWindowKv;
  defaults.budget_tokens = 100000;
  defaults.shared_layers = 100;
  EXPECT_EQ(Resolve({}, 4000, Task::kLocalization, defaults)->budget_tokens, 4096);
  EXPECT_EQ(Resolve({}, 4000, Task::kLocalization, defaults)->shared_layers, 8);
  defaults.shared_layers = 0;
  EXPECT_EQ(Resolve({}, 4000, Task::kLocalization, defaults)->shared_layers, 2);
  const CacheShape shallow{
      .num_layers = 2, .context_length = 64, .bytes_per_token = 8, .block_size = 16};
  EXPECT_EQ(
      ResolveCacheOptions({}, {defaults, {}, shallow}, Task::kLocalization, 10, {})->shared_layers,
      1);
}

TEST(CacheConfigTest, TaskAndMappingChooseStrategyAndObservationTokens) {
  struct Row {
    Task task;
    TaskMapping mapping;
    Strategy strategy;
    int32_t observation_tokens;
  };
  for (const Row& row : {
           Row{Task::kLocalization, TaskMapping::kPaper, Strategy::kMean, 16},
           Row{Task::kAggregation, TaskMapping::kPaper, Strategy::kTopHalfMean, 32},
           Row{Task::kLocalization, TaskMapping::kReference, Strategy::kTopHalfMean, 32},
           Row{Task::kAggregation, TaskMapping::kReference, Strategy::kMean, 16},
       }) {
    CacheOptions options = WindowKvOptions();
    options.task_mapping = row.mapping;
    const CacheConfig config = *Resolve(options, 4000, row.task);
    EXPECT_EQ(config.strategy, row.strategy);
    EXPECT_EQ(config.observation_tokens, row.observation_tokens);
  }
}

TEST(CacheConfigTest, AGivenStrategyOverrulesTheTask) {
  CacheOptions options = WindowKvOptions();
  options.strategy = Strategy::kTopHalfMean;
  EXPECT_EQ(Resolve(options, 4000, Task::kLocalization)->strategy, Strategy::kTopHalfMean);
  EXPECT_EQ(Resolve(options, 4000, Task::kLocalization)->observation_tokens, 32);
  options.observation_tokens = 5;
  EXPECT_EQ(Resolve(options, 4000, Task::kLocalization)->observation_tokens, 5);
}

TEST(CacheConfigTest, BudgetsBecomeTokensPerLayer) {
  CacheOptions options = WindowKvOptions();
  options.budget = BudgetFraction{0.25};
  EXPECT_EQ(Resolve(options, 1001)->budget_tokens, 250);
  options.budget = BudgetFraction{1};
  EXPECT_EQ(Resolve(options, 1001)->budget_tokens, 1001);
  options.budget = BudgetBytes{int64_t{1} << 62};
  EXPECT_EQ(Resolve(options, 1001)->budget_tokens, 4096);
  options.budget = BudgetBytes{int64_t{8} * 256 * (115)};
  EXPECT_EQ(Resolve(options, 1001)->budget_tokens, 100);
}

TEST(CacheConfigTest, AFractionThatNoFloatHoldsComesToTheTokensThatWereMeant) {
  CacheOptions options = WindowKvOptions();
  options.sink_tokens = 0;
  options.observation_tokens = 1;
  options.window_size = 1;
  for (int32_t hundredths = 1; hundredths <= 100; ++hundredths) {
    options.budget = BudgetFraction{static_cast<float>(hundredths) / 100};
    EXPECT_EQ(Resolve(options, 1000)->budget_tokens, hundredths * 10);
    EXPECT_EQ(Resolve(options, 3999)->budget_tokens, hundredths * 3999 / 100);
  }
}

TEST(CacheConfigTest, ABudgetBelowWhatIsAlwaysKeptIsRefusedWithBothNumbers) {
  CacheOptions options = WindowKvOptions();
  options.pinned = {TokenRange{100, 110}};
  options.budget = BudgetTokens{37};
  const absl::Status status = Resolve(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("37"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("38"));
  options.budget = BudgetTokens{38};
  EXPECT_TRUE(Resolve(options).ok());
}

TEST(CacheConfigTest, TheLeastBudgetIsNeverMoreThanThePrompt) {
  CacheOptions options = WindowKvOptions();
  options.pinned = {TokenRange{0, 79}};
  options.budget = BudgetTokens{99};
  const absl::Status status = Resolve(options, 100).status();
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("comes to 99 tokens per layer, must be at least 100 (the whole prompt): the "
                "95 tokens that are always kept"));
  options.budget = BudgetTokens{100};
  EXPECT_TRUE(Resolve(options, 100).ok());
}

TEST(CacheConfigTest, AShortPromptNeedsNoBudgetForTheObservationWindow) {
  CacheOptions options = WindowKvOptions();
  options.budget = BudgetTokens{10};
  options.observation_tokens = 512;
  EXPECT_TRUE(Resolve(options, 10).ok());
  EXPECT_FALSE(Resolve(options, 11).ok());
}

TEST(CacheConfigTest, BudgetBytesAreNeverExceededInWholeBlocks) {
  std::mt19937 random(3);
  int resolved = 0;
  for (int round = 0; round < 5000; ++round) {
    const CacheShape shape{.num_layers = Uniform(random, 1, 12),
                           .context_length = 2048,
                           .bytes_per_token = 8 * Uniform(random, 1, 64),
                           .block_size = 1 << Uniform(random, 0, 6)};
    const int64_t block_bytes = shape.block_size * shape.bytes_per_token;
    const int64_t bytes = shape.num_layers * block_bytes +
                          random() % (1500 * shape.num_layers * shape.bytes_per_token);
    CacheOptions options = WindowKvOptions();
    options.budget = BudgetBytes{bytes};
    options.window_size = Uniform(random, 1, 40);
    options.shared_layers = Uniform(random, 1, shape.num_layers);
    options.beta = Uniform(random, 1, 20);
    options.observation_tokens = Uniform(random, 1, 32);
    const int32_t tokens = Uniform(random, 1, 2048);
    const auto config =
        ResolveCacheOptions(options, {{}, {}, shape}, Task::kLocalization, tokens, {});
    if (!config.ok()) continue;
    ++resolved;
    int64_t held = 0;
    for (const LayerGroup& group : WindowKvPolicy().Plan(*config, shape.num_layers, tokens)) {
      const int64_t kept = WindowKvPolicy().MaxKept(*config, group.budget_tokens, tokens);
      held += group.num_layers * ((kept + shape.block_size - 1) / shape.block_size) * block_bytes;
    }
    ASSERT_LE(held, bytes) << "layers " << shape.num_layers << ", block " << shape.block_size
                           << ", prompt " << tokens;
  }
  EXPECT_GT(resolved, 3000);
}

}  // namespace
}  // namespace windowkv
