#include "engine/cache_policy/cache_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/cache_policy/layer_groups.h"
#include "engine/cache_policy/policy.h"
#include "tests/engine/cache_policy/random_prompt.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;
using testing::Uniform;

constexpr CacheShape kShape{
    .num_layers = 8, .context_length = 4096, .bytes_per_token = 256, .block_size = 16};
const CacheRules kRules{{}, {}, kShape};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

CacheOptions WindowKvOptions() {
  CacheOptions options;
  options.policy = CachePolicy::kWindowKv;
  return options;
}

absl::StatusOr<CacheConfig> Resolve(const CacheOptions& options, int32_t prompt_tokens = 4000,
                                    Task task = Task::kLocalization,
                                    const CacheDefaults& defaults = {}) {
  std::vector<TokenRange> pinned;
  for (const PinnedSpan& span : options.pinned) pinned.push_back(std::get<TokenRange>(span));
  return ResolveCacheOptions(options, {defaults, {}, kShape}, task, prompt_tokens, pinned);
}

struct Case {
  std::string field;  // empty: allowed
  std::function<void(CacheOptions&)> change;
};

// Each change alone, on WINDOWKV options.
void ExpectVerdicts(const std::vector<Case>& cases) {
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " " + cases[i].field);
    CacheOptions options = WindowKvOptions();
    cases[i].change(options);
    const absl::Status status = ValidateCacheOptions(options, kRules);
    if (cases[i].field.empty()) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(FieldOf(status), cases[i].field);
  }
}

TEST(CacheConfigTest, CountsMustBeWithinTheirRanges) {
  ExpectVerdicts({
      {"", [](auto& o) { o.window_size = 1; }},
      {"", [](auto& o) { o.window_size = 1024; }},
      {"cache.window_size", [](auto& o) { o.window_size = 0; }},
      {"cache.window_size", [](auto& o) { o.window_size = 1025; }},
      {"", [](auto& o) { o.shared_layers = 1; }},
      {"", [](auto& o) { o.shared_layers = 8; }},
      {"cache.shared_layers", [](auto& o) { o.shared_layers = 0; }},
      {"cache.shared_layers", [](auto& o) { o.shared_layers = 9; }},
      {"", [](auto& o) { o.observation_tokens = 1; }},
      {"", [](auto& o) { o.observation_tokens = 512; }},
      {"cache.observation_tokens", [](auto& o) { o.observation_tokens = 0; }},
      {"cache.observation_tokens", [](auto& o) { o.observation_tokens = 513; }},
      {"", [](auto& o) { o.beta = 1; }},
      {"", [](auto& o) { o.beta = 1024; }},
      {"cache.beta", [](auto& o) { o.beta = 0; }},
      {"cache.beta", [](auto& o) { o.beta = 1025; }},
      {"", [](auto& o) { o.sink_tokens = 0; }},
      {"", [](auto& o) { o.sink_tokens = 1024; }},
      {"cache.sink_tokens", [](auto& o) { o.sink_tokens = -1; }},
      {"cache.sink_tokens", [](auto& o) { o.sink_tokens = 1025; }},
  });
}

TEST(CacheConfigTest, BudgetsMustBeWithinTheirRanges) {
  constexpr int64_t kLeastBytes = int64_t{8} * 16 * 256;
  ExpectVerdicts({
      {"", [](auto& o) { o.budget = BudgetTokens{1}; }},
      {"", [](auto& o) { o.budget = BudgetTokens{4096}; }},
      {"cache.budget_tokens", [](auto& o) { o.budget = BudgetTokens{0}; }},
      {"cache.budget_tokens", [](auto& o) { o.budget = BudgetTokens{-5}; }},
      {"cache.budget_tokens", [](auto& o) { o.budget = BudgetTokens{4097}; }},
      {"", [](auto& o) { o.budget = BudgetBytes{kLeastBytes}; }},
      {"", [](auto& o) { o.budget = BudgetBytes{int64_t{1} << 62}; }},
      {"cache.budget_bytes", [](auto& o) { o.budget = BudgetBytes{kLeastBytes - 1}; }},
      {"cache.budget_bytes", [](auto& o) { o.budget = BudgetBytes{-1}; }},
      {"cache.budget_bytes", [](auto& o) { o.budget = BudgetBytes{INT64_MIN}; }},
      {"", [](auto& o) { o.budget = BudgetFraction{1e-9f}; }},
      {"", [](auto& o) { o.budget = BudgetFraction{1}; }},
      {"cache.budget_fraction", [](auto& o) { o.budget = BudgetFraction{0}; }},
      {"cache.budget_fraction", [](auto& o) { o.budget = BudgetFraction{1.0001f}; }},
      {"cache.budget_fraction", [](auto& o) { o.budget = BudgetFraction{kNan}; }},
      {"cache.budget_fraction", [](auto& o) { o.budget = BudgetFraction{INFINITY}; }},
  });
}

TEST(CacheConfigTest, PinnedSpansMustBeSortedApartNotEmptyAndInside) {
  ExpectVerdicts({
      {"",
       [](auto& o) {
         o.pinned = {TokenRange{0, 1}, TokenRange{1, 5}, TokenRange{4000, 4096}};
       }},
      {"cache.pinned[0].tokens",
       [](auto& o) {
         o.pinned = {TokenRange{-1, 5}};
       }},
      {"cache.pinned[1].tokens",
       [](auto& o) {
         o.pinned = {TokenRange{0, 5}, TokenRange{7, 7}};
       }},
      {"cache.pinned[0].tokens",
       [](auto& o) {
         o.pinned = {TokenRange{9, 7}};
       }},
      {"cache.pinned[0].tokens",
       [](auto& o) {
         o.pinned = {TokenRange{4000, 4097}};
       }},
      {"cache.pinned[1].tokens",
       [](auto& o) {
         o.pinned = {TokenRange{0, 5}, TokenRange{4, 8}};
       }},
      {"cache.pinned[1].tokens",
       [](auto& o) {
         o.pinned = {TokenRange{10, 15}, TokenRange{0, 5}};
       }},
      {"cache.pinned[0].tokens",
       [](auto& o) {
         o.pinned = {TokenRange{INT32_MIN, INT32_MAX}};
       }},
  });
}

TEST(CacheConfigTest, MessagesSayTheValueAndTheRange) {
  CacheOptions options = WindowKvOptions();
  options.window_size = 2000;
  EXPECT_EQ(ValidateCacheOptions(options, kRules).message(),
            "cache.window_size is 2000, must be in [1, 1024]");
}

TEST(CacheConfigTest, UnderFullEachOptionIsRefusedByName) {
  const std::vector<Case> cases = {
      {"cache.budget_tokens", [](auto& o) { o.budget = BudgetTokens{64}; }},
      {"cache.budget_bytes", [](auto& o) { o.budget = BudgetBytes{1 << 20}; }},
      {"cache.budget_fraction", [](auto& o) { o.budget = BudgetFraction{0.5}; }},
      {"cache.window_size", [](auto& o) { o.window_size = 8; }},
      {"cache.shared_layers", [](auto& o) { o.shared_layers = 2; }},
      {"cache.observation_tokens", [](auto& o) { o.observation_tokens = 16; }},
      {"cache.beta", [](auto& o) { o.beta = 14; }},
      {"cache.strategy", [](auto& o) { o.strategy = Strategy::kMean; }},
      {"cache.task_mapping", [](auto& o) { o.task_mapping = TaskMapping::kPaper; }},
      {"cache.accounting", [](auto& o) { o.accounting = BudgetAccounting::kTotal; }},
      {"cache.sink_tokens", [](auto& o) { o.sink_tokens = 4; }},
      {"cache.pinned",
       [](auto& o) {
         o.pinned = {TokenRange{0, 4}};
       }},
  };
  for (const Case& test : cases) {
    for (const bool asked : {true, false}) {
      CacheOptions options;
      if (asked) options.policy = CachePolicy::kFull;
      test.change(options);
      const absl::Status status = ValidateCacheOptions(options, kRules);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(FieldOf(status), test.field);
      EXPECT_THAT(std::string(status.message()), HasSubstr("FULL"));
    }
  }
  EXPECT_TRUE(ValidateCacheOptions({}, kRules).ok());
}

TEST(CacheConfigTest, ReviewOnlyRefusesSinkAndPinned) {
  ExpectVerdicts({
      {"", [](auto& o) { o.accounting = BudgetAccounting::kReviewOnly; }},
      {"",
       [](auto& o) {
         o.accounting = BudgetAccounting::kReviewOnly;
         o.sink_tokens = 0;
       }},
      {"cache.sink_tokens",
       [](auto& o) {
         o.accounting = BudgetAccounting::kReviewOnly;
         o.sink_tokens = 1;
       }},
      {"cache.pinned",
       [](auto& o) {
         o.accounting = BudgetAccounting::kReviewOnly;
         o.pinned = {TokenRange{0, 1}};
       }},
  });
  CacheOptions options = WindowKvOptions();
  options.accounting = BudgetAccounting::kReviewOnly;
  EXPECT_EQ(Resolve(options)->sink_tokens, 0);
}

TEST(CacheConfigTest, FullResolvesToFullWhateverTheDefaults) {
  CacheDefaults defaults;
  defaults.policy = CachePolicy::kWindowKv;
  CacheOptions options;
  options.policy = CachePolicy::kFull;
  EXPECT_EQ(Resolve(options, 4000, Task::kLocalization, defaults)->policy, CachePolicy::kFull);
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
