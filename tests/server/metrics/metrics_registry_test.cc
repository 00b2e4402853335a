#include "server/metrics/metrics_registry.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "tests/server/metrics/prometheus_text.h"

namespace windowkv {
namespace {

using ::windowkv::testing::PrometheusText;
using ::windowkv::testing::Scrape;

TEST(MetricsRegistryTest, KnowsTheProcessItself) {
  const PrometheusText text = Scrape(MetricsRegistry());
  EXPECT_GT(text.Value("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(text.Value("process_virtual_memory_bytes"),
            text.Value("process_resident_memory_bytes"));
  EXPECT_GE(text.Value("process_threads"), 1);
  EXPECT_GE(text.Value("process_open_fds"), 3);
  EXPECT_GE(text.Value("process_cpu_seconds_total"), 0);
  EXPECT_GT(text.Value("process_start_time_seconds"), 1.6e9);
}

TEST(MetricsRegistryTest, ConstantLabelsStandOnEverySeries) {
  MetricsRegistry registry;
  auto& family = registry.AddCounters("test_total", "A test", {{"model", "demo"}});
  family.Add({{"code", "OK"}}).Increment(2);
  registry.AddCounter("other_total", "Another", {{"model", "demo"}}).Increment();
  const PrometheusText text = Scrape(registry);
  EXPECT_EQ(text.Value("test_total{model=\"demo\",code=\"OK\"}"), 2);
  EXPECT_EQ(text.Value("other_total{model=\"demo\"}"), 1);
  EXPECT_EQ(text.types.at("test_total"), "counter");
}

TEST(MetricsRegistryTest, LatenciesReachFromAMillisecondToTenMinutes) {
  EXPECT_EQ(LatencyBounds().front(), 0.001);
  EXPECT_EQ(LatencyBounds().back(), 600);
  EXPECT_TRUE(std::is_sorted(LatencyBounds().begin(), LatencyBounds().end()));
  EXPECT_TRUE(std::is_sorted(FractionBounds().begin(), FractionBounds().end()));
  EXPECT_EQ(FractionBounds().back(), 1);
}

}  // namespace
}  // namespace windowkv
