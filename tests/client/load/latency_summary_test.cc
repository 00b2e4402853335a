#include "client/load/latency_summary.h"

#include <gtest/gtest.h>

namespace windowkv::client {
namespace {

TEST(LatencySummaryTest, PercentilesAreNearestRank) {
  LatencySummary summary;
  for (int ms = 100; ms >= 1; --ms) summary.Add(absl::Milliseconds(ms));
  const LatencyFigures figures = summary.Figures();
  EXPECT_EQ(figures.count, 100u);
  EXPECT_EQ(figures.p50, absl::Milliseconds(50));
  EXPECT_EQ(figures.p90, absl::Milliseconds(90));
  EXPECT_EQ(figures.p95, absl::Milliseconds(95));
  EXPECT_EQ(figures.p99, absl::Milliseconds(99));
  EXPECT_EQ(figures.max, absl::Milliseconds(100));
  EXPECT_EQ(figures.mean, absl::Microseconds(50500));
}

TEST(LatencySummaryTest, ARankBetweenTwoTimesIsTheLaterOne) {
  LatencySummary summary;
  for (const int ms : {10, 20, 30}) summary.Add(absl::Milliseconds(ms));
  EXPECT_EQ(summary.Figures().p50, absl::Milliseconds(20));
  EXPECT_EQ(summary.Figures().p90, absl::Milliseconds(30));
}

TEST(LatencySummaryTest, OneTimeIsEveryPercentile) {
  LatencySummary summary;
  summary.Add(absl::Milliseconds(7));
  EXPECT_EQ(summary.Figures().p50, absl::Milliseconds(7));
  EXPECT_EQ(summary.Figures().p99, absl::Milliseconds(7));
}

TEST(LatencySummaryTest, NothingMeasuredIsZero) {
  const LatencyFigures figures = LatencySummary().Figures();
  EXPECT_EQ(figures.count, 0u);
  EXPECT_EQ(figures.p50, absl::ZeroDuration());
  EXPECT_EQ(figures.mean, absl::ZeroDuration());
}

TEST(LatencySummaryTest, AddsAnotherSummary) {
  LatencySummary one;
  LatencySummary other;
  one.Add(absl::Milliseconds(1));
  other.Add(absl::Milliseconds(3));
  one.Add(other);
  EXPECT_EQ(one.Figures().count, 2u);
  EXPECT_EQ(one.Figures().mean, absl::Milliseconds(2));
}

}  // namespace
}  // namespace windowkv::client
