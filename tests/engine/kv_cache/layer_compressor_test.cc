#include "engine/kv_cache/layer_compressor.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "engine/cache_policy/always_kept.h"
#include "engine/cache_policy/window_selection.h"
#include "engine/kernels/window_scores.h"
#include "tests/engine/cache_policy/random_prompt.h"
#include "tests/engine/kernels/busy_device.h"
#include "tests/engine/model/test_device.h"

namespace windowkv {
namespace {

constexpr int32_t kLayers = 5;
constexpr int32_t kHeads = 4;
constexpr int32_t kKvHeads = 2;
constexpr int32_t kHeadDim = 8;
constexpr int32_t kTokens = 200;
constexpr float kScale = 0.35f;

at::Tensor Random(std::mt19937& random, at::IntArrayRef shape) {
  at::Tensor x = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
  float* out = x.mutable_data_ptr<float>();
  for (int64_t i = 0; i < x.numel(); ++i) out[i] = static_cast<float>(random() % 2001) / 1000 - 1;
  return x;
}

CacheConfig SmallBudget(CachePolicy policy) {
  CacheOptions options;
  options.policy = policy;
  if (PolicyOf(policy).options().contains(CacheOption::kBudget)) options.budget = BudgetTokens{60};
  const CacheShape shape{.num_layers = kLayers,
                         .context_length = kTokens,
                         .bytes_per_token = 2 * kKvHeads * kHeadDim * 4,
                         .block_size = 16};
  return *ResolveCacheOptions(options, {{}, {}, shape}, Task::kLocalization, kTokens, {});
}

class LayerCompressorTest : public ::testing::Test {
 protected:
  LayerCompressorTest()
      : store_(*KvCacheStore::Create({kLayers, kKvHeads, kHeadDim, /*block_size=*/16,
                                      /*pool_bytes=*/1 << 20, at::kFloat, device_})),
        manager_(store_.geometry()) {
    config_ = testing::WindowKvConfig(60, 2);
    config_.pinned = {{40, 45}};
  }

  // What all layers are read with: keys, values and queries of their own.
  void DrawLayers() {
    scratches_.clear();
    const int64_t observation = ObservationTokens(config_, kTokens);
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      scratches_.push_back({Random(random_, {kTokens, kKvHeads, kHeadDim}).to(device_),
                            Random(random_, {kTokens, kKvHeads, kHeadDim}).to(device_),
                            Random(random_, {observation, kHeads, kHeadDim}).to(device_),
                            Random(random_, {kHeads, kTokens}).to(device_)});
    }
  }

  // Gives the cache what the layers keep, but for what Finish tells it.
  LayerCompressor CompressLayers() {
    cache_ = manager_.Admit(*manager_.Plan(config_, kTokens, 8));
    LayerCompressor compressor;
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      compressor.Compress(scratches_[layer], layer, kScale, store_, *cache_);
    }
    return compressor;
  }

  void Compress() {
    DrawLayers();
    CompressLayers().Finish(*cache_);
  }

  // What the leader's own scores select.
  std::vector<TokenRange> Selected(const LayerGroup& group, WindowReduction reduction) {
    const LayerScratch& leader = scratches_[group.first_layer];
    const at::Tensor scores = WindowScores(TokenScores(leader.observation_q, leader.k, kScale),
                                           config_.window_size, reduction);
    return testing::Selected(config_, group.budget_tokens, kTokens, scores).heads.front();
  }

  void ExpectLayerHolds(int32_t layer, const std::vector<TokenRange>& kept) {
    const std::vector<int32_t> positions = Expand(kept);
    ASSERT_EQ(cache_->cached_length(layer), static_cast<int32_t>(positions.size()));
    for (size_t i = 0; i < positions.size(); ++i) {
      const at::Tensor slot =
          store_.pool().select(0, cache_->blocks(layer)[i / 16]).select(2, i % 16);
      ASSERT_TRUE(slot.select(0, 0).equal(scratches_[layer].k.select(0, positions[i])));
      ASSERT_TRUE(slot.select(0, 1).equal(scratches_[layer].v.select(0, positions[i])));
    }
  }

  const at::Device device_ = testing::TestDevice();
  std::mt19937 random_{3};
  KvCacheStore store_;
  KvCacheManager manager_;
  CacheConfig config_;
  std::optional<SequenceKvCache> cache_;
  std::vector<LayerScratch> scratches_;
};

TEST_F(LayerCompressorTest, FollowersKeepTheLeadersTokensOfTheirOwnKeysAndValues) {
  Compress();
  for (size_t g = 0; g < cache_->groups().size(); ++g) {
    const LayerGroup& group = cache_->groups()[g];
    const std::vector<TokenRange> expected = Selected(group, WindowReduction::kMean);
    EXPECT_EQ(cache_->kept(static_cast<int32_t>(g)).heads[0], expected);
    for (int32_t i = 0; i < group.num_layers; ++i) {
      ExpectLayerHolds(group.first_layer + i, expected);
    }
  }
}

TEST_F(LayerCompressorTest, TheStrategyChoosesTheReduction) {
  config_.strategy = Strategy::kTopHalfMean;
  int differ_from_mean = 0;
  for (int round = 0; round < 10; ++round) {
    Compress();
    for (size_t g = 0; g < cache_->groups().size(); ++g) {
      const LayerGroup& group = cache_->groups()[g];
      const std::vector<TokenRange>& kept = cache_->kept(static_cast<int32_t>(g)).heads[0];
      EXPECT_EQ(kept, Selected(group, WindowReduction::kTopHalfMean));
      differ_from_mean += kept == Selected(group, WindowReduction::kMean) ? 0 : 1;
    }
  }
  EXPECT_GT(differ_from_mean, 0);
}

TEST_F(LayerCompressorTest, FullKeepsEveryTokenOfEveryLayer) {
  config_ = CacheConfig{};
  Compress();
  for (int32_t layer = 0; layer < kLayers; ++layer) ExpectLayerHolds(layer, {{0, kTokens}});
  EXPECT_EQ(manager_.MakeReceipt(*cache_, false).bytes_kept, manager_.FullBytes(kTokens));
}

TEST_F(LayerCompressorTest, ThePeakIsTheBlocksHeldPlusOneLayersScratch) {
  Compress();
  const Receipt receipt = manager_.MakeReceipt(*cache_, false);
  const int64_t scratch = int64_t{2} * kTokens * kKvHeads * kHeadDim * 4;
  EXPECT_EQ(scratches_[0].bytes(), scratch);
  EXPECT_EQ(receipt.bytes_kept, manager_.allocator().taken() * store_.geometry().block_bytes);
  EXPECT_EQ(receipt.bytes_prefill_peak, receipt.bytes_kept + scratch);
  EXPECT_GT(receipt.selection_time, absl::ZeroDuration());
  int64_t kept = 0;
  for (const Receipt::Group& group : receipt.groups) kept += group.num_layers * group.kept_tokens;
  EXPECT_LE(kept, int64_t{60} * kLayers);
}

TEST_F(LayerCompressorTest, CompressingWaitsForNothingThatTheDeviceHasYetToDo) {
  if (!device_.is_cuda()) GTEST_SKIP() << "WINDOWKV_TEST_DEVICE names no GPU";
  for (const CachePolicy policy : testing::EveryPolicy()) {
    SCOPED_TRACE(PolicyOf(policy).name());
    config_ = SmallBudget(policy);
    DrawLayers();
    // The allocators may wait in the first round, when they take memory.
    for (const bool warm : {false, true}) {
      const c10::Event earlier = testing::KeepBusy(device_);
      LayerCompressor compressor = CompressLayers();
      if (warm) {
        EXPECT_FALSE(earlier.query());
      }
      compressor.Finish(*cache_);
      EXPECT_TRUE(earlier.query());
    }
  }
}

}  // namespace
}  // namespace windowkv
