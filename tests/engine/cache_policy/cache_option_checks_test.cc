#include "engine/cache_policy/cache_option_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/cache_policy/cache_config.h"
#include "tests/engine/cache_policy/small_model.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;
using testing::kShape;
using testing::WindowKvOptions;

const CacheRules kRules{{}, {}, kShape};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

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

TEST(CacheOptionChecksTest, CountsMustBeWithinTheirRanges) {
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

TEST(CacheOptionChecksTest, BudgetsMustBeWithinTheirRanges) {
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

TEST(CacheOptionChecksTest, PinnedSpansMustBeSortedApartNotEmptyAndInside) {
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

TEST(CacheOptionChecksTest, PinnedMessagesMustBeInOrderEachOnce) {
  ExpectVerdicts({
      {"",
       [](auto& o) {
         o.pinned = {PinnedMessage{0}, PinnedMessage{2}, PinnedMessage{INT32_MAX}};
       }},
      {"cache.pinned[0].message", [](auto& o) { o.pinned = {PinnedMessage{-1}}; }},
      {"cache.pinned[1].message",
       [](auto& o) {
         o.pinned = {PinnedMessage{1}, PinnedMessage{1}};
       }},
      {"cache.pinned[1].message",
       [](auto& o) {
         o.pinned = {PinnedMessage{INT32_MAX}, PinnedMessage{0}};
       }},
  });
}

TEST(CacheOptionChecksTest, PinnedCharactersMustBeSortedApartAndNotEmpty) {
  ExpectVerdicts({
      {"",
       [](auto& o) {
         o.pinned = {PinnedCharacters{0, 3}, PinnedCharacters{3, INT32_MAX}};
       }},
      {"cache.pinned[0].characters",
       [](auto& o) {
         o.pinned = {PinnedCharacters{3, 3}};
       }},
      {"cache.pinned[0].characters",
       [](auto& o) {
         o.pinned = {PinnedCharacters{-1, 3}};
       }},
      {"cache.pinned[1].characters",
       [](auto& o) {
         o.pinned = {PinnedCharacters{4, 8}, PinnedCharacters{7, 9}};
       }},
  });
}

TEST(CacheOptionChecksTest, SpansOfDifferentKindsMayComeInAnyOrder) {
  ExpectVerdicts({
      {"",
       [](auto& o) {
         o.pinned = {PinnedCharacters{90, 95}, TokenRange{10, 20}, PinnedCharacters{95, 99},
                     PinnedMessage{3}, TokenRange{20, 21}};
       }},
  });
}

TEST(CacheOptionChecksTest, MessagesSayTheValueAndTheRange) {
  CacheOptions options = WindowKvOptions();
  options.window_size = 2000;
  EXPECT_EQ(ValidateCacheOptions(options, kRules).message(),
            "cache.window_size is 2000, must be in [1, 1024]");
}

TEST(CacheOptionChecksTest, UnderFullEachOptionIsRefusedByName) {
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

TEST(CacheOptionChecksTest, ReviewOnlyRefusesSinkAndPinned) {
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
}

TEST(CacheOptionChecksTest, OptionsAboveTheServersLimitsAreRefused) {
  const CacheRules rules{{},
                         {.budget_tokens = 600,
                          .window_size = 32,
                          .observation_tokens = 40,
                          .beta = 50,
                          .sink_tokens = 6,
                          .pinned_spans = 1},
                         kShape};
  const std::vector<Case> at_limit = {
      {"cache.budget_tokens", [](auto& o) { o.budget = BudgetTokens{600}; }},
      {"cache.window_size", [](auto& o) { o.window_size = 32; }},
      {"cache.observation_tokens", [](auto& o) { o.observation_tokens = 40; }},
      {"cache.beta", [](auto& o) { o.beta = 50; }},
      {"cache.sink_tokens", [](auto& o) { o.sink_tokens = 6; }},
      {"cache.pinned",
       [](auto& o) {
         o.pinned = {TokenRange{0, 1}};
       }},
  };
  const std::vector<Case> above = {
      {"cache.budget_tokens", [](auto& o) { o.budget = BudgetTokens{601}; }},
      {"cache.window_size", [](auto& o) { o.window_size = 33; }},
      {"cache.observation_tokens", [](auto& o) { o.observation_tokens = 41; }},
      {"cache.beta", [](auto& o) { o.beta = 51; }},
      {"cache.sink_tokens", [](auto& o) { o.sink_tokens = 7; }},
      {"cache.pinned",
       [](auto& o) {
         o.pinned = {TokenRange{0, 1}, TokenRange{2, 3}};
       }},
  };
  for (size_t i = 0; i < above.size(); ++i) {
    SCOPED_TRACE(above[i].field);
    CacheOptions options = WindowKvOptions();
    at_limit[i].change(options);
    EXPECT_TRUE(ValidateCacheOptions(options, rules).ok());
    options = WindowKvOptions();
    above[i].change(options);
    EXPECT_EQ(FieldOf(ValidateCacheOptions(options, rules)), above[i].field);
  }
}

}  // namespace
}  // namespace windowkv
