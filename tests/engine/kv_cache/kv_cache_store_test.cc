#include "engine/kv_cache/kv_cache_store.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/cache_policy/token_selection.h"
#include "tests/engine/model/test_device.h"

namespace windowkv {
namespace {

constexpr int64_t kLayers = 2;
constexpr int64_t kKvHeads = 3;
constexpr int64_t kHeadDim = 4;
constexpr int64_t kBlockSize = 4;

KvCacheStore::Config Config(at::ScalarType dtype, int64_t num_blocks) {
  const int64_t block_bytes =
      2 * kKvHeads * kBlockSize * kHeadDim * static_cast<int64_t>(c10::elementSize(dtype));
  return {kLayers, kKvHeads, kHeadDim, kBlockSize, num_blocks * block_bytes, dtype};
}

// [tokens, num_kv_heads, head_dim], every element different; exact in both dtypes up to 256.
at::Tensor Numbered(int64_t tokens, float first, at::ScalarType dtype) {
  return (at::arange(tokens * kKvHeads * kHeadDim, at::kFloat) + first)
      .reshape({tokens, kKvHeads, kHeadDim})
      .to(dtype);
}

// Slot `index` of the layer: [2, num_kv_heads, head_dim].
at::Tensor SlotOf(KvCacheStore& store, const SequenceKvCache& cache, int32_t layer, int32_t index) {
  return store.pool()
      .select(0, cache.blocks(layer)[index / kBlockSize])
      .select(2, index % kBlockSize);
}

TEST(KvCacheStoreTest, ThePoolHasAsManyBlocksAsFitIntoItsBytes) {
  KvCacheStore::Config config = Config(at::kBFloat16, 10);
  config.pool_bytes += 17;
  KvCacheStore store = *KvCacheStore::Create(config);
  EXPECT_EQ(store.geometry().num_blocks, 10);
  EXPECT_EQ(store.geometry().block_bytes, 2 * kKvHeads * kBlockSize * kHeadDim * 2);
  EXPECT_EQ(store.geometry().num_layers, kLayers);
  EXPECT_EQ(store.pool().sizes().vec(),
            (std::vector<int64_t>{10, 2, kKvHeads, kBlockSize, kHeadDim}));
}

TEST(KvCacheStoreTest, APoolThatTheDeviceCannotHoldIsRefusedWithWhatIsFree) {
  const at::Device device = testing::TestDevice();
  if (!device.is_cuda()) GTEST_SKIP() << "WINDOWKV_TEST_DEVICE names no GPU";
  KvCacheStore::Config config = Config(at::kFloat, 10);
  config.device = device;
  config.pool_bytes = CudaDeviceMemory(device).total_bytes + 1;
  config.block_size = 1024;
  const absl::Status status = KvCacheStore::Create(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(" free: lower it"));
}

TEST(KvCacheStoreTest, APoolOfLessThanABlockPerLayerIsInvalid) {
  EXPECT_TRUE(KvCacheStore::Create(Config(at::kFloat, kLayers)).ok());
  const absl::Status status = KvCacheStore::Create(Config(at::kFloat, kLayers - 1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  KvCacheStore::Config negative = Config(at::kFloat, 10);
  negative.pool_bytes = -1;
  EXPECT_EQ(KvCacheStore::Create(negative).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(KvCacheStoreTest, MemoryThatCannotBeHadIsResourceExhausted) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer ends the process where malloc would fail";
#endif
  KvCacheStore::Config config = Config(at::kFloat, 10);
  config.num_kv_heads = 1 << 10;
  config.head_dim = 1 << 10;
  config.pool_bytes = int64_t{1} << 55;
  EXPECT_EQ(KvCacheStore::Create(config).status().code(), absl::StatusCode::kResourceExhausted);
}

class KvCacheStoreDtypeTest : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(KvCacheStoreDtypeTest, BlocksHoldTheKeptPositionsInOrder) {
  KvCacheStore store = *KvCacheStore::Create(Config(GetParam(), 20));
  KvCacheManager manager(store.geometry());
  std::optional<SequenceKvCache> cache = manager.Admit(*manager.Plan(CacheConfig{}, 20, 4));
  const at::Tensor k = Numbered(20, 0, GetParam());
  const at::Tensor v = Numbered(20, -200, GetParam());
  const std::vector<TokenRange> kept = {{0, 3}, {9, 13}, {18, 20}};
  WindowTopK wanted = KeepOnly(kept, 20);
  wanted.capacity = 11;
  store.Scatter(k, v, TopWindows(wanted, NoScores(at::kCPU)), /*layer=*/1, *cache);
  EXPECT_EQ(cache->cached_length(1), 11);  // until it is known how many are kept
  EXPECT_EQ(cache->cached_length(0), 0);
  const std::vector<int32_t> positions = Expand(kept);
  for (int32_t i = 0; i < 9; ++i) {
    const at::Tensor slot = SlotOf(store, *cache, 1, i);
    EXPECT_TRUE(slot.select(0, 0).equal(k.select(0, positions[i]))) << "token " << i;
    EXPECT_TRUE(slot.select(0, 1).equal(v.select(0, positions[i]))) << "token " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, KvCacheStoreDtypeTest,
                         ::testing::Values(at::kFloat, at::kBFloat16), [](const auto& info) {
                           return info.param == at::kFloat ? "Float32" : "Bfloat16";
                         });

}  // namespace
}  // namespace windowkv
