#include "engine/kv_cache/kv_cache_store.h"

#include <ATen/ops/empty.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/kernels/catch_exceptions.h"
#include "engine/kernels/cuda_device.h"
#include "engine/kernels/kv_scatter.h"

namespace windowkv {

absl::StatusOr<KvCacheStore> KvCacheStore::Create(const Config& config) {
  KvCacheManager::Geometry geometry;
  geometry.num_layers = config.num_layers;
  geometry.block_size = config.block_size;
  geometry.block_bytes = int64_t{2} * config.num_kv_heads * config.block_size * config.head_dim *
                         static_cast<int64_t>(c10::elementSize(config.dtype));
  geometry.num_blocks = config.pool_bytes / geometry.block_bytes;
  if (geometry.num_blocks < config.num_layers || geometry.num_blocks > INT32_MAX) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kv_pool_bytes is ", config.pool_bytes, ", must be in [",
        config.num_layers * geometry.block_bytes, ", ", INT32_MAX * geometry.block_bytes,
        "]: at least one block of ", geometry.block_bytes, " bytes per layer"));
  }
  at::Tensor pool;
  const absl::Status made = CatchExceptions([&] {
    pool =
        at::empty({geometry.num_blocks, 2, config.num_kv_heads, config.block_size, config.head_dim},
                  at::TensorOptions(config.device).dtype(config.dtype));
  });
  if (made.ok()) return KvCacheStore(geometry, std::move(pool));
  if (!absl::IsResourceExhausted(made)) return made;
  const std::string limit = config.device.is_cuda()
                                ? absl::StrCat(config.device.str(), " has ",
                                               CudaDeviceMemory(config.device).free_bytes, " free")
                                : "more than can be had";
  return absl::ResourceExhaustedError(
      absl::StrCat("kv_pool_bytes is ", config.pool_bytes, ", ", limit, ": lower it"));
}

void KvCacheStore::Scatter(const at::Tensor& k, const at::Tensor& v, const KeptPositions& kept,
                           int32_t layer, SequenceKvCache& cache) {
  cache.Grow(layer, static_cast<int32_t>(kept.positions.size(1)));
  KvScatter(k, v, kept, cache.blocks(layer), pool_);
}

}  // namespace windowkv
