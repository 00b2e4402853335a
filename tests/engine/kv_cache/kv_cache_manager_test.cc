#include "engine/kv_cache/kv_cache_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache_policy/policy.h"
#include "tests/engine/cache_policy/random_prompt.h"
#include "tests/engine/kv_cache/read_layers.h"

namespace windowkv {
namespace {

using testing::DrawPrompt;
using ::testing::HasSubstr;
using testing::RandomPrompt;
using testing::ReadLayers;
using testing::Uniform;

TEST(KvCacheManagerTest, PlansWholeBlocksForPromptAndGenerationInEveryLayer) {
  const KvCacheManager manager({4, 16, 1024, 1000});
  EXPECT_EQ(manager.Plan(CacheConfig{}, 100, 12)->blocks, 4 * 7);
  EXPECT_EQ(manager.Plan(CacheConfig{}, 100, 13)->blocks, 4 * 8);
  CacheConfig config = testing::WindowKvConfig(32, 4);
  EXPECT_EQ(manager.Plan(config, 100, 16)->blocks, 4 * 3);
}

TEST(KvCacheManagerTest, ARequestLargerThanThePoolIsOutOfRangeWithBothNumbers) {
  const KvCacheManager manager({4, 16, 1024, 28});
  EXPECT_TRUE(manager.Plan(CacheConfig{}, 100, 12).ok());
  const absl::Status status = manager.Plan(CacheConfig{}, 100, 13).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("32768"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("28672"));
}

TEST(KvCacheManagerTest, AdmitsWhatFitsNowAndNothingElse) {
  KvCacheManager manager({4, 16, 1024, 28});
  const CachePlan plan = *manager.Plan(CacheConfig{}, 50, 6);  // 16 blocks
  std::optional<SequenceKvCache> first = manager.Admit(plan);
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(manager.Admit(plan).has_value());
  EXPECT_EQ(manager.allocator().available(), 12);
  first.reset();
  EXPECT_TRUE(manager.Admit(plan).has_value());
}

TEST(KvCacheManagerTest, FullBytesAreWholeBlocksOfAllLayers) {
  const KvCacheManager manager({3, 16, 1000, 100});
  EXPECT_EQ(manager.FullBytes(0), 0);
  EXPECT_EQ(manager.FullBytes(1), 3000);
  EXPECT_EQ(manager.FullBytes(16), 3000);
  EXPECT_EQ(manager.FullBytes(17), 6000);
}

TEST(KvCacheManagerTest, ReceiptsCountTheBlocksHeld) {
  std::mt19937 random(4);
  KvCacheManager manager({6, 16, 512, 4000});
  CacheConfig config = testing::WindowKvConfig(100, 4);
  config.strategy = Strategy::kTopHalfMean;
  std::optional<SequenceKvCache> cache = manager.Admit(*manager.Plan(config, 1000, 50));
  ReadLayers(*cache, cache->num_layers(), random);
  cache->NoteAlive(12345);
  cache->set_selection_time(absl::Milliseconds(5));
  const Receipt receipt = manager.MakeReceipt(*cache, /*echo_kept_ranges=*/true);
  EXPECT_EQ(receipt.policy, CachePolicy::kWindowKv);
  EXPECT_EQ(receipt.strategy, Strategy::kTopHalfMean);
  EXPECT_EQ(receipt.bytes_full, int64_t{6} * 63 * 512);
  EXPECT_EQ(receipt.bytes_kept, manager.allocator().taken() * 512);
  EXPECT_EQ(receipt.bytes_prefill_peak, 12345);
  EXPECT_EQ(receipt.selection_time, absl::Milliseconds(5));
  ASSERT_EQ(receipt.groups.size(), 2u);
  for (const Receipt::Group& group : receipt.groups) {
    EXPECT_EQ(group.kept_tokens, cache->cached_length(group.first_layer));
    EXPECT_EQ(group.kept.count(), group.kept_tokens);
    EXPECT_LE(group.kept_tokens, group.budget_tokens);
  }
  EXPECT_EQ(receipt.groups[1].first_layer, 4);
  EXPECT_EQ(receipt.groups[1].num_layers, 2);
  EXPECT_TRUE(manager.MakeReceipt(*cache, false).groups[0].kept.heads.empty());
}

struct Running {
  SequenceKvCache cache;
  int32_t tokens_left = 0;  // of max_tokens
};

void ExpectFewestBlocks(const SequenceKvCache& cache, int32_t block_size) {
  for (int32_t layer = 0; layer < cache.num_layers(); ++layer) {
    const int64_t slots = static_cast<int64_t>(cache.blocks(layer).size()) * block_size;
    EXPECT_GE(slots, cache.cached_length(layer));
    EXPECT_LT(slots - cache.cached_length(layer), block_size);
  }
}

// Admits, decodes and ends requests at random against one pool.
class RandomScript {
 public:
  RandomScript(std::mt19937& random, int32_t num_layers)
      : random_(random), manager_({num_layers, kBlockSize, 64, int64_t{40} * num_layers}) {}

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      switch (random_() % 4) {
        case 0:
          TryAdmit();
          break;
        case 1:
          if (!running_.empty()) running_.erase(running_.begin() + Pick());
          break;
        default:
          if (!running_.empty()) Decode(running_[Pick()]);
      }
      ExpectCountsAddUp();
    }
    running_.clear();
    EXPECT_EQ(manager_.allocator().available(), manager_.geometry().num_blocks);
    EXPECT_EQ(manager_.allocator().taken(), 0);
  }

 private:
  static constexpr int32_t kBlockSize = 8;

  int32_t Pick() { return Uniform(random_, 0, static_cast<int32_t>(running_.size()) - 1); }

  void TryAdmit() {
    const auto policy = static_cast<CachePolicy>(random_() % AllPolicies().size());
    RandomPrompt prompt =
        DrawPrompt(random_, policy,
                   random_() % 2 == 0 ? BudgetAccounting::kTotal : BudgetAccounting::kReviewOnly);
    prompt.config.shared_layers =
        std::min(prompt.config.shared_layers, manager_.geometry().num_layers);
    const int32_t max_tokens = Uniform(random_, 1, 60);
    const absl::StatusOr<CachePlan> plan =
        manager_.Plan(prompt.config, prompt.prompt_tokens, max_tokens);
    if (!plan.ok()) return;
    const int64_t available = manager_.allocator().available();
    std::optional<SequenceKvCache> cache = manager_.Admit(*plan);
    EXPECT_EQ(cache.has_value(), plan->blocks <= available);
    if (!cache) return;
    EXPECT_EQ(manager_.allocator().available(), available - plan->blocks);
    ReadLayers(*cache, cache->num_layers(), random_);
    EXPECT_EQ(manager_.allocator().available(), available - plan->blocks);
    running_.push_back({std::move(*cache), max_tokens});
  }

  void Decode(Running& running) {
    if (running.tokens_left == 0) return;
    --running.tokens_left;
    const int64_t available = manager_.allocator().available();
    for (int32_t layer = 0; layer < running.cache.num_layers(); ++layer) {
      running.cache.Grow(layer, 1);
    }
    EXPECT_EQ(manager_.allocator().available(), available);
  }

  void ExpectCountsAddUp() {
    int64_t held = 0;
    for (const Running& running : running_) {
      held += running.cache.held_blocks();
      ExpectFewestBlocks(running.cache, kBlockSize);
    }
    EXPECT_EQ(manager_.allocator().taken(), held);
    EXPECT_GE(manager_.allocator().available(), 0);
  }

  std::mt19937& random_;
  KvCacheManager manager_;
  std::vector<Running> running_;
};

TEST(KvCacheManagerTest, RandomScriptsStayWithinReservationsAndReturnEverything) {
  std::mt19937 random(9);
  for (int script = 0; script < 2000; ++script) {
    SCOPED_TRACE("script " + std::to_string(script));
    RandomScript(random, Uniform(random, 1, 6)).Run(25);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace windowkv
