#include "server/router/verdict_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "server/metrics/metrics_registry.h"

namespace windowkv {
namespace {

constexpr absl::Duration kNow = absl::Hours(5);

class VerdictCacheTest : public ::testing::Test {
 protected:
  void Insert(const std::string& text, float confidence, absl::Duration now = kNow,
              const std::string& model = "model") {
    cache_.Insert(VerdictCache::KeyOf(text), {v1::TASK_AGGREGATION, confidence}, model, now);
  }
  // The confidence of what is kept for `text`; -1 when nothing is.
  float Find(const std::string& text, absl::Duration now = kNow) {
    const auto verdict = cache_.Find(VerdictCache::KeyOf(text), now);
    if (!verdict) return -1;
    EXPECT_EQ(verdict->task, v1::TASK_AGGREGATION);
    return verdict->confidence;
  }
  bool MetricsHave(const std::string& line) const {
    return registry_.Text().find(line) != std::string::npos;
  }

  MetricsRegistry registry_;
  RouterMetrics metrics_{&registry_};
  VerdictCache cache_{{.max_entries = 3, .max_age = absl::Minutes(10)}, &metrics_};
};

TEST_F(VerdictCacheTest, TheKeyIsTheTextsSha256) {
  // FIPS 180-2's example "abc".
  const VerdictCache::Key key = VerdictCache::KeyOf("abc");
  EXPECT_EQ(key[0], 0xba);
  EXPECT_EQ(key[1], 0x78);
  EXPECT_EQ(key[31], 0xad);
  EXPECT_NE(VerdictCache::KeyOf(""), VerdictCache::KeyOf(std::string(1, '\0')));
}

TEST_F(VerdictCacheTest, FindsWhatWasInserted) {
  EXPECT_EQ(Find("a"), -1);
  Insert("a", 0.5F);
  Insert("b", 0.75F);
  EXPECT_EQ(Find("a"), 0.5F);
  EXPECT_EQ(Find("b"), 0.75F);
  EXPECT_EQ(Find("A"), -1);
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_hits_total 2"));
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_entries 2"));
}

TEST_F(VerdictCacheTest, TheLatestVerdictOfATextCounts) {
  Insert("a", 0.5F);
  Insert("a", 0.75F);
  EXPECT_EQ(Find("a"), 0.75F);
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_entries 1"));
}

TEST_F(VerdictCacheTest, TheEntryUsedLongestAgoMakesRoom) {
  for (const char* text : {"a", "b", "c"}) Insert(text, 0.5F);
  EXPECT_EQ(Find("a"), 0.5F);
  Insert("d", 0.5F);
  EXPECT_EQ(Find("b"), -1);
  for (const char* text : {"a", "c", "d"}) EXPECT_EQ(Find(text), 0.5F) << text;
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_entries 3"));
}

TEST_F(VerdictCacheTest, AnEntryEndsAtItsAgeHoweverOftenItIsUsed) {
  Insert("a", 0.5F);
  EXPECT_EQ(Find("a", kNow + absl::Minutes(6)), 0.5F);
  EXPECT_EQ(Find("a", kNow + absl::Minutes(10) - absl::Nanoseconds(1)), 0.5F);
  EXPECT_EQ(Find("a", kNow + absl::Minutes(10)), -1);
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_entries 0"));
}

TEST_F(VerdictCacheTest, AnAnswerOfAnotherModelEndsAllEntries) {
  Insert("a", 0.5F);
  Insert("b", 0.75F, kNow, "another");
  EXPECT_EQ(Find("a"), -1);
  EXPECT_EQ(Find("b"), 0.75F);
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_entries 1"));
}

TEST_F(VerdictCacheTest, WithoutEntriesItKeepsNothing) {
  VerdictCache none({.max_entries = 0}, &metrics_);
  EXPECT_FALSE(none.enabled());
  none.Insert(VerdictCache::KeyOf("a"), {v1::TASK_AGGREGATION, 1}, "model", kNow);
  EXPECT_FALSE(none.Find(VerdictCache::KeyOf("a"), kNow));
}

TEST_F(VerdictCacheTest, ManyThreadsMayUseIt) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      for (int i = 0; i < 500; ++i) {
        const std::string text = std::to_string((i + thread) % 5);
        if (Find(text) < 0) Insert(text, 0.5F, kNow, i % 100 == 0 ? "another" : "model");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Insert("last", 0.75F);
  EXPECT_EQ(Find("last"), 0.75F);
}

}  // namespace
}  // namespace windowkv
