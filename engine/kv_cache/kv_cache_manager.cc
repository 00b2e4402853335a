#include "engine/kv_cache/kv_cache_manager.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/cache_policy/policy.h"

namespace windowkv {
namespace {

int64_t BlocksFor(int64_t tokens, int32_t block_size) {
  return (tokens + block_size - 1) / block_size;
}

}  // namespace

KvCacheManager::KvCacheManager(const Geometry& geometry)
    : geometry_(geometry), allocator_(geometry.num_blocks) {}

absl::StatusOr<CachePlan> KvCacheManager::Plan(const CacheConfig& config, int32_t prompt_tokens,
                                               int32_t max_tokens) const {
  const Policy& policy = PolicyOf(config.policy);
  CachePlan plan{config, policy.Plan(config, geometry_.num_layers, prompt_tokens), prompt_tokens,
                 ObservedQueries::kNone, 0};
  for (const LayerGroup& group : plan.groups) {
    if (policy.MustSelect(config, group.budget_tokens, prompt_tokens)) {
      plan.observed = policy.observed();
    }
    const int64_t kept = policy.MaxKept(config, group.budget_tokens, prompt_tokens);
    plan.blocks += group.num_layers * BlocksFor(kept + max_tokens, geometry_.block_size);
  }
  if (plan.blocks <= geometry_.num_blocks) return plan;
  return absl::OutOfRangeError(absl::StrCat(
      "the request needs ", plan.blocks * geometry_.block_bytes, " bytes of KV cache (",
      prompt_tokens, " prompt tokens, up to ", max_tokens, " generated), the whole pool has ",
      geometry_.num_blocks * geometry_.block_bytes));
}

std::optional<SequenceKvCache> KvCacheManager::Admit(const CachePlan& plan) {
  if (!allocator_.Reserve(plan.blocks)) return std::nullopt;
  return SequenceKvCache(plan, geometry_.num_layers, geometry_.block_size, &allocator_);
}

Receipt KvCacheManager::MakeReceipt(const SequenceKvCache& cache, bool echo_kept_ranges) const {
  Receipt receipt;
  receipt.policy = cache.config().policy;
  receipt.strategy = cache.config().strategy;
  for (size_t g = 0; g < cache.groups().size(); ++g) {
    const LayerGroup& group = cache.groups()[g];
    const KeptTokens& kept = cache.kept(static_cast<int32_t>(g));
    receipt.groups.push_back(
        {group.first_layer, group.num_layers, group.budget_tokens, kept.count(), {}});
    if (echo_kept_ranges) receipt.groups.back().kept = kept;
  }
  receipt.bytes_full = FullBytes(cache.prompt_tokens());
  receipt.bytes_kept = cache.held_blocks() * geometry_.block_bytes;
  receipt.bytes_prefill_peak = cache.prefill_peak_bytes();
  receipt.selection_time = cache.selection_time();
  return receipt;
}

int64_t KvCacheManager::FullBytes(int32_t tokens) const {
  return geometry_.num_layers * BlocksFor(tokens, geometry_.block_size) * geometry_.block_bytes;
}

}  // namespace windowkv
