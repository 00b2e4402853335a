#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "engine/cache_policy/policy.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "tests/engine/cache_policy/random_prompt.h"
#include "tests/engine/kv_cache/read_layers.h"

// What holds for the blocks of a sequence under every cache policy.

namespace windowkv {
namespace {

using testing::DrawPrompt;
using testing::RandomPrompt;
using testing::ReadLayers;
using testing::Uniform;

constexpr int kRounds = 500;
constexpr int32_t kKvHeads = 2;
constexpr int64_t kLargePool = 1 << 12;

class ReservationTest : public ::testing::TestWithParam<CachePolicy> {
 protected:
  struct Request {
    RandomPrompt prompt;
    int32_t max_tokens = 0;
    KvCacheManager::Geometry geometry;
  };

  Request Draw() {
    const BudgetAccounting accounting =
        random_() % 2 == 0 ? BudgetAccounting::kTotal : BudgetAccounting::kReviewOnly;
    Request request{DrawPrompt(random_, GetParam(), accounting), Uniform(random_, 1, 80), {}};
    request.geometry = {request.prompt.num_layers, 8 << (random_() % 3), /*block_bytes=*/64,
                        kLargePool};
    return request;
  }

  static CachePlan Plan(const KvCacheManager& manager, const Request& request) {
    return *manager.Plan(request.prompt.config, request.prompt.prompt_tokens, request.max_tokens);
  }

  static void Decode(SequenceKvCache& cache) {
    for (int32_t layer = 0; layer < cache.num_layers(); ++layer) cache.Grow(layer, 1);
  }

  std::mt19937 random_{17};
};

void ExpectAtMostOnePartialBlockPerLayer(const SequenceKvCache& cache, int32_t block_size) {
  for (int32_t layer = 0; layer < cache.num_layers(); ++layer) {
    const int64_t slots = static_cast<int64_t>(cache.blocks(layer).size()) * block_size;
    ASSERT_GE(slots, cache.cached_length(layer)) << "layer " << layer;
    ASSERT_LT(slots - cache.cached_length(layer), block_size) << "layer " << layer;
  }
}

TEST_P(ReservationTest, ALayerHasAtMostOnePartialBlockAfterReadingAndWhileDecoding) {
  for (int round = 0; round < kRounds; ++round) {
    const Request request = Draw();
    SCOPED_TRACE(request.prompt.Describe());
    KvCacheManager manager(request.geometry);
    SequenceKvCache cache = *manager.Admit(Plan(manager, request));
    ReadLayers(cache, cache.num_layers(), random_);
    for (int32_t token = 0; token <= request.max_tokens; ++token) {
      if (token > 0) Decode(cache);
      ExpectAtMostOnePartialBlockPerLayer(cache, request.geometry.block_size);
      if (HasFatalFailure()) return;
    }
  }
}

// The pool holds the reservation and no block more, so a block beyond it would not be there.
TEST_P(ReservationTest, DecodingToTheLastTokenNeedsNoBlockBeyondTheReservation) {
  for (int round = 0; round < kRounds; ++round) {
    Request request = Draw();
    SCOPED_TRACE(request.prompt.Describe());
    const int64_t planned = Plan(KvCacheManager(request.geometry), request).blocks;
    request.geometry.num_blocks = planned;
    KvCacheManager manager(request.geometry);
    std::optional<SequenceKvCache> cache = manager.Admit(Plan(manager, request));
    ASSERT_TRUE(cache.has_value());
    ReadLayers(*cache, cache->num_layers(), random_);
    for (int32_t token = 0; token < request.max_tokens; ++token) {
      ASSERT_EQ(manager.allocator().available(), 0);
      Decode(*cache);
      ASSERT_LE(cache->held_blocks(), planned);
      ASSERT_EQ(manager.allocator().taken(), cache->held_blocks());
    }
    cache.reset();
    ASSERT_EQ(manager.allocator().available(), planned);
    ASSERT_EQ(manager.allocator().taken(), 0);
  }
}

TEST_P(ReservationTest, EndingEarlyReturnsBlocksAndReservation) {
  for (int round = 0; round < kRounds; ++round) {
    const Request request = Draw();
    SCOPED_TRACE(request.prompt.Describe());
    KvCacheManager manager(request.geometry);
    const CachePlan plan = Plan(manager, request);
    std::optional<SequenceKvCache> cache = manager.Admit(plan);
    ASSERT_EQ(manager.allocator().available(), kLargePool - plan.blocks);
    // In the middle of the prompt, or somewhere among the generated tokens.
    const bool within_prompt = random_() % 2 == 0;
    const int32_t layers = request.prompt.num_layers;
    ReadLayers(*cache, within_prompt ? Uniform(random_, 0, layers) : layers, random_);
    const int32_t decoded = within_prompt ? 0 : Uniform(random_, 0, request.max_tokens);
    for (int32_t token = 0; token < decoded; ++token) Decode(*cache);
    ASSERT_EQ(manager.allocator().available(), kLargePool - plan.blocks);
    cache.reset();
    ASSERT_EQ(manager.allocator().available(), kLargePool);
    ASSERT_EQ(manager.allocator().taken(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, ReservationTest, ::testing::ValuesIn(testing::EveryPolicy()),
                         testing::PolicyTestName);

}  // namespace
}  // namespace windowkv
