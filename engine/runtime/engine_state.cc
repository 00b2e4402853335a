#include "engine/runtime/engine_state.h"

namespace windowkv {
namespace {

int64_t FullBytes(const KvCacheManager& cache_manager, const Sequence& sequence,
                  size_t more_tokens) {
  return cache_manager.FullBytes(static_cast<int32_t>(sequence.prompt.size() + more_tokens));
}

// What a full cache of the sequence would hold by now. While the prompt is read that is the layers
// done, so that what is not read yet does not look like memory saved.
int64_t FullBytesNow(const KvCacheManager& cache_manager, const Sequence& sequence) {
  if (sequence.prefill_done()) return FullBytes(cache_manager, sequence, sequence.decoded);
  const int64_t layers = cache_manager.geometry().num_layers;
  const auto slices = static_cast<int64_t>(sequence.slice_costs.size());
  const int64_t layers_done = static_cast<int64_t>(sequence.slices_done) * layers / slices;
  return FullBytes(cache_manager, sequence, 0) / layers * layers_done;
}

// What admission would reserve for the sequence if it kept everything.
int64_t FullReservation(const KvCacheManager& cache_manager, const Sequence& sequence) {
  return FullBytes(cache_manager, sequence, static_cast<size_t>(sequence.sampling.max_tokens));
}

}  // namespace

EngineMetrics::State MakeEngineState(Scheduler& scheduler, const KvCacheManager& cache_manager,
                                     int32_t waiting) {
  const KvCacheManager::Geometry& geometry = cache_manager.geometry();
  const BlockAllocator& allocator = cache_manager.allocator();
  EngineMetrics::State state;
  state.running = scheduler.running();
  state.waiting = waiting;
  state.pool_bytes_total = geometry.num_blocks * geometry.block_bytes;
  state.pool_bytes_used = (geometry.num_blocks - allocator.available()) * geometry.block_bytes;
  state.held_bytes = allocator.taken() * geometry.block_bytes;
  // In the order of admission; what does not fit is overtaken, as in admission itself.
  int64_t left = state.pool_bytes_total;
  scheduler.ForEach([&](Sequence& sequence) {
    if (!sequence.cache) return;
    state.full_equivalent_bytes += FullBytesNow(cache_manager, sequence);
    const int64_t reservation = FullReservation(cache_manager, sequence);
    if (reservation > left) return;
    left -= reservation;
    ++state.running_full_cache;
  });
  return state;
}

}  // namespace windowkv
