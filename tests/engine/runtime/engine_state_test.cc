#include "engine/runtime/engine_state.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "tests/testing/window_kv_config.h"

namespace windowkv {
namespace {

constexpr int32_t kLayers = 2;
constexpr int32_t kBlockSize = 8;
constexpr int64_t kBlockBytes = 64;
constexpr int64_t kPoolBlocks = 50;
constexpr int32_t kPromptTokens = 80;
constexpr int32_t kMaxTokens = 8;
// What one sequence holds of its prompt, and reserves, when it keeps everything.
constexpr int64_t kFullBytes = kLayers * (kPromptTokens / kBlockSize) * kBlockBytes;
constexpr int64_t kFullReservation =
    kLayers * ((kPromptTokens + kMaxTokens) / kBlockSize) * kBlockBytes;

class EngineStateTest : public ::testing::Test {
 protected:
  // Admits a sequence whose layers are read in two slices each.
  Sequence* Admit(const CacheConfig& config) {
    auto sequence = std::make_unique<Sequence>();
    sequence->stream = std::make_shared<TokenStream>();
    sequence->prompt.assign(kPromptTokens, 1);
    sequence->sampling.max_tokens = kMaxTokens;
    sequence->plan = *manager_.Plan(config, kPromptTokens, kMaxTokens);
    sequence->slice_costs.assign(size_t{2} * kLayers, 1);
    Sequence* admitted = sequence.get();
    scheduler_.Add(std::move(sequence));
    scheduler_.Next(absl::ZeroDuration());
    return admitted;
  }

  EngineMetrics::State State() { return MakeEngineState(scheduler_, manager_, /*waiting=*/0); }

  KvCacheManager manager_{{kLayers, kBlockSize, kBlockBytes, kPoolBlocks}};
  Scheduler scheduler_{{}, &manager_};
};

TEST_F(EngineStateTest, AFullCacheSavesNothingAtAnyMoment) {
  Sequence* sequence = Admit(CacheConfig{});
  EXPECT_EQ(State().full_equivalent_bytes, 0);
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    ++sequence->slices_done;
    EXPECT_EQ(State().full_equivalent_bytes, State().held_bytes);
    ++sequence->slices_done;
    sequence->cache->Grow(layer, kPromptTokens);
    EXPECT_EQ(State().full_equivalent_bytes, State().held_bytes);
  }
  sequence->output.push_back(1);  // its keys and values come with the next step
  EXPECT_EQ(State().full_equivalent_bytes, kFullBytes);
  EXPECT_EQ(State().held_bytes, kFullBytes);
}

TEST_F(EngineStateTest, WhatIsReservedIsUsedButNotHeld) {
  Admit(CacheConfig{});
  EXPECT_EQ(State().pool_bytes_total, kPoolBlocks * kBlockBytes);
  EXPECT_EQ(State().pool_bytes_used, kFullReservation);
  EXPECT_EQ(State().held_bytes, 0);
}

TEST_F(EngineStateTest, SaysHowManyWouldRunWithFullCaches) {
  EXPECT_EQ(State().running_full_cache, 0);
  for (int i = 0; i < 4; ++i) Admit(testing::WindowKvConfig(/*budget_tokens=*/32, kLayers));
  EXPECT_EQ(State().running, 4);
  EXPECT_EQ(State().running_full_cache, 2);  // 2 × 22 of 50 blocks
}

}  // namespace
}  // namespace windowkv
