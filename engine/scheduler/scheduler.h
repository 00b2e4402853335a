#ifndef WINDOWKV_ENGINE_SCHEDULER_SCHEDULER_H_
#define WINDOWKV_ENGINE_SCHEDULER_SCHEDULER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/request/sequence.h"

namespace windowkv {

// One iteration's work. Pointers are valid until the next call of the scheduler.
struct Batch {
  std::vector<Sequence*> decode;
  // Slices [prefill->slices_done, prefill->slices_done + num_slices) of one prompt.
  Sequence* prefill = nullptr;
  size_t num_slices = 0;
  // Set when `prefill` has just been admitted.
  bool admitted = false;

  bool empty() const { return decode.empty() && prefill == nullptr; }
};

// Chooses each step's work: continuous batching, first come first served.
//
// Every running sequence decodes one token per step. One prompt is read at a time; it gets slices
// worth `prefill_cost_per_step` in each step (at least one), so running streams wait no longer than
// that. The oldest waiting request is admitted when no prompt is being read, a place is free and
// the cache manager can reserve its whole footprint; nothing overtakes it.
//
// A plain object without threads or clock; engine thread only. The manager outlives it.
class Scheduler {
 public:
  struct Config {
    int32_t max_running = 64;
    int64_t prefill_cost_per_step = int64_t{4} << 30;  // multiply-adds
  };

  Scheduler(const Config& config, KvCacheManager* cache_manager);

  void Add(std::unique_ptr<Sequence> sequence);

  // Admits what fits and says what to do next; `now` is noted as the time of admission.
  Batch Next(absl::Duration now);

  // Gives up the sequence: it has ended, whatever its state. Its blocks are freed with it.
  std::unique_ptr<Sequence> Remove(const Sequence* sequence);

  // Calls `visit` for every sequence, running ones first.
  void ForEach(const std::function<void(Sequence&)>& visit);

  int32_t running() const { return static_cast<int32_t>(running_.size()); }
  int32_t waiting() const { return static_cast<int32_t>(waiting_.size()); }
  bool idle() const { return running_.empty() && waiting_.empty(); }

 private:
  Sequence* Prefilling();
  bool AdmitNext(absl::Duration now);

  Config config_;
  KvCacheManager* cache_manager_;
  std::deque<std::unique_ptr<Sequence>> waiting_;  // oldest first
  std::vector<std::unique_ptr<Sequence>> running_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SCHEDULER_SCHEDULER_H_
