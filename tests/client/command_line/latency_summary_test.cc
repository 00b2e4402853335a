#include "client/command_line/latency_summary.h"

#include <gtest/gtest.h>

namespace windowkv::client {
namespace {

TEST(LatencySummaryTest, PercentilesAreNearestRank) {
  LatencySummary summary;
  for (int ms = 100; ms >= 1; --ms) summary.Add(absl::Milliseconds(ms));
  EXPECT_EQ(summary.Percentile(0.5), absl::Milliseconds(50));
  EXPECT_EQ(summary.Percentile(0.99), absl::Milliseconds(99));
  EXPECT_EQ(summary.Percentile(1), absl::Milliseconds(100));
  EXPECT_EQ(summary.Mean(), absl::Microseconds(50500));
}

TEST(LatencySummaryTest, OneTimeIsEveryPercentile) {
  LatencySummary summary;
  summary.Add(absl::Milliseconds(7));
  EXPECT_EQ(summary.Percentile(0.01), absl::Milliseconds(7));
  EXPECT_EQ(summary.Percentile(0.99), absl::Milliseconds(7));
}

TEST(LatencySummaryTest, NothingMeasuredIsZero) {
  EXPECT_EQ(LatencySummary().Percentile(0.5), absl::ZeroDuration());
  EXPECT_EQ(LatencySummary().Mean(), absl::ZeroDuration());
}

TEST(LatencySummaryTest, AddsAnotherSummary) {
  LatencySummary one;
  LatencySummary other;
  one.Add(absl::Milliseconds(1));
  other.Add(absl::Milliseconds(3));
  one.Add(other);
  EXPECT_EQ(one.count(), 2u);
  EXPECT_EQ(one.Mean(), absl::Milliseconds(2));
}

}  // namespace
}  // namespace windowkv::client
