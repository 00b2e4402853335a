#include "engine/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

namespace windowkv {

Scheduler::Scheduler(const Config& config, KvCacheManager* cache_manager)
    : config_(config), cache_manager_(cache_manager) {}

void Scheduler::Add(std::unique_ptr<Sequence> sequence) { waiting_.push_back(std::move(sequence)); }

Sequence* Scheduler::Prefilling() {
  // Only the newest running sequence can still be reading its prompt.
  if (running_.empty() || running_.back()->prefill_done()) return nullptr;
  return running_.back().get();
}

bool Scheduler::AdmitNext(absl::Duration now) {
  if (waiting_.empty() || running() >= config_.max_running) return false;
  Sequence& next = *waiting_.front();
  next.cache = cache_manager_->Admit(next.plan);
  if (!next.cache) return false;
  next.admitted = now;
  running_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  return true;
}

Batch Scheduler::Next(absl::Duration now) {
  Batch batch;
  batch.prefill = Prefilling();
  if (batch.prefill == nullptr && AdmitNext(now)) {
    batch.prefill = running_.back().get();
    batch.admitted = true;
  }
  for (const auto& sequence : running_) {
    if (sequence->prefill_done()) batch.decode.push_back(sequence.get());
  }
  if (batch.prefill == nullptr) return batch;
  const std::vector<int64_t>& costs = batch.prefill->slice_costs;
  int64_t cost = 0;
  size_t slice = batch.prefill->slices_done;
  while (slice < costs.size() &&
         (batch.num_slices == 0 || cost + costs[slice] <= config_.prefill_cost_per_step)) {
    cost += costs[slice++];
    ++batch.num_slices;
  }
  return batch;
}

std::unique_ptr<Sequence> Scheduler::Remove(const Sequence* sequence) {
  const auto is_it = [sequence](const auto& other) { return other.get() == sequence; };
  if (auto it = std::find_if(running_.begin(), running_.end(), is_it); it != running_.end()) {
    std::unique_ptr<Sequence> removed = std::move(*it);
    running_.erase(it);
    return removed;
  }
  auto it = std::find_if(waiting_.begin(), waiting_.end(), is_it);
  if (it == waiting_.end()) return nullptr;
  std::unique_ptr<Sequence> removed = std::move(*it);
  waiting_.erase(it);
  return removed;
}

void Scheduler::ForEach(const std::function<void(Sequence&)>& visit) {
  for (const auto& sequence : running_) visit(*sequence);
  for (const auto& sequence : waiting_) visit(*sequence);
}

}  // namespace windowkv
