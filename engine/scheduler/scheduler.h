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
#include "engine/scheduler/batch.h"
#include "engine/scheduler/step_costs.h"

namespace windowkv {

// Chooses each step's work: continuous batching, first come first served with priorities. The whole
// policy, with its reasons, is in docs/scheduling.md; in short:
//
// - Order: a request counts as if it had come `ageing` earlier per level of priority, so priorities
//   overtake, but nothing waits for ever.
// - Admission: in that order, when the cache manager can reserve the whole footprint and the prompt
//   can be read beside those that are. A request that does not fit is overtaken by ones that do,
//   for at most `overtaking`; then all wait for it. Waiting for a free place is not counted.
// - Decoding: every running sequence whose reader keeps up, one token per step.
// - Reading: several prompts at once, in each step as many slices as the target for inter-token
//   latency leaves, at least one. Most urgent first: four times the time left to read, less the
//   time waited. So short prompts pass a long one until it has waited four times what it takes
//   itself.
// - Preemption (off by default): for a request of higher priority that does not fit, the newest
//   running requests of the lowest priority give their blocks back and are recomputed later.
//
// A plain object without threads or clock; engine thread only. The manager outlives it.
class Scheduler {
 public:
  struct Config {
    int32_t max_running = 64;
    // Prompts read at once, each with its activations and one layer's keys and values.
    int32_t max_reading = 16;
    // Tokens of them together, for the memory that reading takes; one prompt alone may have more.
    int64_t max_reading_tokens = 65536;
    // Of running sequences while prompts are read; 0: reading takes a little less than decoding,
    // and more only while more prompts wait than sequences decode.
    absl::Duration target_itl = absl::ZeroDuration();
    absl::Duration ageing = absl::Seconds(10);
    absl::Duration overtaking = absl::Seconds(1);
    // How often one request may be put back; 0: preemption is off.
    int32_t max_preemptions = 0;
  };

  Scheduler(const Config& config, KvCacheManager* cache_manager);

  void Add(std::unique_ptr<Sequence> sequence);

  // Admits what fits and says what to do next.
  Batch Next(absl::Duration now);

  // Whether Next may put a sequence back: one that waits has a higher priority.
  bool MayPreempt() const;

  // What the work took, so that the next steps can be planned.
  StepCosts& costs() { return costs_; }

  // True when the sequence's first token cannot come before its deadline, even if nothing else
  // runs.
  bool CannotMeetDeadline(const Sequence& sequence, absl::Duration now) const;

  // Gives up the sequence: it has ended, whatever its state. Its blocks are freed with it.
  std::unique_ptr<Sequence> Remove(const Sequence* sequence);

  // Calls `visit` for every sequence, running ones first.
  void ForEach(const std::function<void(Sequence&)>& visit);

  int32_t running() const { return static_cast<int32_t>(running_.size()); }
  int32_t waiting() const { return static_cast<int32_t>(waiting_.size()); }
  bool idle() const { return running_.empty() && waiting_.empty(); }

 private:
  void Enqueue(std::unique_ptr<Sequence> sequence);
  void Admit(absl::Duration now, Batch& batch);
  // Whether a request of `priority` may take the sequence's place.
  bool MayTakePlaceOf(const Sequence& sequence, int32_t priority) const;
  // What the next request can have.
  struct Room {
    int64_t blocks = 0;
    int32_t places = 0;          // to run
    int32_t reading_places = 0;  // to be read
    int64_t reading_tokens = 0;

    bool HasPlace() const { return places > 0 && reading_places > 0; }
  };
  Room RoomNow() const;
  // `room` with what a running sequence has.
  static Room Without(const Sequence& sequence, Room room);
  bool CanBeRead(const Sequence& sequence, const Room& room) const;
  bool Fits(const Sequence& sequence, const Room& room) const;
  // Puts running sequences back so that `sequence` fits, none that need not be; false, and nothing
  // changes, when that cannot be had.
  bool MakeRoom(const Sequence& sequence, absl::Duration now, Batch& batch);
  // `sequence` gives its blocks back and waits again, behind `place`.
  void PutBack(const Sequence* sequence, absl::Duration place, Batch& batch);
  void PlanReading(absl::Duration now, Batch& batch);
  absl::Duration Urgency(const Sequence& sequence, absl::Duration now) const;
  // In a step in which `decoding` sequences decode and `unread` prompts are read or wait.
  absl::Duration ReadingTime(size_t unread, size_t decoding) const;

  const Config config_;
  KvCacheManager* cache_manager_;
  StepCosts costs_;
  std::deque<std::unique_ptr<Sequence>> waiting_;  // by place
  std::vector<std::unique_ptr<Sequence>> running_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SCHEDULER_SCHEDULER_H_
