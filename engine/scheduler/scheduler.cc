#include "engine/scheduler/scheduler.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace windowkv {
namespace {

// Requests behind one that does not fit which are tried in its place.
constexpr size_t kMaxTried = 64;

// Decoding sequences that use the machine well: they need not make room for reading.
constexpr size_t kFullBatch = 32;

// Shorter prompts pass one until it has waited this many times what it takes to read.
constexpr double kPatience = 4;

// Of the time that decoding takes: with what a step takes beside both, streams are at most half as
// fast while prompts are read.
constexpr double kReadingShare = 0.85;

// With nobody decoding a step need only be short enough for arrivals and cancellations.
constexpr absl::Duration kReadingAlone = absl::Milliseconds(25);

int64_t CostLeft(const Sequence& sequence) {
  int64_t cost = 0;
  for (size_t i = sequence.slices_done; i < sequence.slice_costs.size(); ++i) {
    cost += sequence.slice_costs[i];
  }
  return cost;
}

}  // namespace

Scheduler::Scheduler(const Config& config, KvCacheManager* cache_manager)
    : config_(config), cache_manager_(cache_manager) {}

void Scheduler::Add(std::unique_ptr<Sequence> sequence) {
  sequence->place = sequence->arrival - sequence->priority * config_.ageing;
  Enqueue(std::move(sequence));
}

void Scheduler::Enqueue(std::unique_ptr<Sequence> sequence) {
  const auto next = std::upper_bound(
      waiting_.begin(), waiting_.end(), sequence->place,
      [](absl::Duration place, const auto& other) { return place < other->place; });
  waiting_.insert(next, std::move(sequence));
}

Batch Scheduler::Next(absl::Duration now) {
  Batch batch;
  Admit(now, batch);
  for (const auto& sequence : running_) {
    if (sequence->prefill_done() && !sequence->stream->congested()) {
      batch.decode.push_back(sequence.get());
    }
  }
  PlanReading(now, batch);
  return batch;
}

void Scheduler::Admit(absl::Duration now, Batch& batch) {
  Room room = RoomNow();
  for (size_t i = 0; i < std::min(waiting_.size(), kMaxTried);) {
    Sequence& next = *waiting_[i];
    if (room.HasPlace() && CanBeRead(next, room)) next.cache = cache_manager_->Admit(next.plan);
    if (next.cache) {
      if (next.preemptions == 0) next.admitted = now;
      next.last_admitted = now;
      batch.admitted.push_back(&next);
      running_.push_back(std::move(waiting_[i]));
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
      room = RoomNow();
      continue;
    }
    if (i == 0 && MakeRoom(next, now, batch)) {
      room = RoomNow();
      continue;
    }
    if (!room.HasPlace()) return;
    if (!next.blocked_since) next.blocked_since = now;
    if (now - *next.blocked_since >= config_.overtaking) return;
    ++i;
  }
}

Scheduler::Room Scheduler::RoomNow() const {
  Room room{cache_manager_->allocator().available(), config_.max_running - running(),
            config_.max_reading, config_.max_reading_tokens};
  for (const auto& sequence : running_) {
    if (sequence->prefill_done()) continue;
    --room.reading_places;
    room.reading_tokens -= static_cast<int64_t>(sequence->prompt.size());
  }
  return room;
}

Scheduler::Room Scheduler::Without(const Sequence& sequence, Room room) {
  room.blocks += sequence.plan.blocks;
  ++room.places;
  if (sequence.prefill_done()) return room;
  ++room.reading_places;
  room.reading_tokens += static_cast<int64_t>(sequence.prompt.size());
  return room;
}

bool Scheduler::CanBeRead(const Sequence& sequence, const Room& room) const {
  return static_cast<int64_t>(sequence.prompt.size()) <= room.reading_tokens ||
         room.reading_places == config_.max_reading;
}

bool Scheduler::Fits(const Sequence& sequence, const Room& room) const {
  return room.HasPlace() && CanBeRead(sequence, room) && room.blocks >= sequence.plan.blocks;
}

bool Scheduler::MayTakePlaceOf(const Sequence& sequence, int32_t priority) const {
  return sequence.priority < priority && sequence.preemptions < config_.max_preemptions;
}

bool Scheduler::MayPreempt() const {
  if (config_.max_preemptions == 0 || waiting_.empty()) return false;
  const auto highest =
      std::ranges::max_element(waiting_, {}, [](const auto& waiting) { return waiting->priority; });
  return std::ranges::any_of(running_, [&](const auto& running) {
    return MayTakePlaceOf(*running, (*highest)->priority);
  });
}

bool Scheduler::MakeRoom(const Sequence& sequence, absl::Duration now, Batch& batch) {
  if (config_.max_preemptions == 0) return false;
  std::vector<Sequence*> victims;
  for (const auto& running : running_) {
    if (MayTakePlaceOf(*running, sequence.priority) && running->last_admitted < now) {
      victims.push_back(running.get());
    }
  }
  std::sort(victims.begin(), victims.end(), [](const Sequence* a, const Sequence* b) {
    return std::make_tuple(a->priority, b->last_admitted) <
           std::make_tuple(b->priority, a->last_admitted);
  });
  // As few as make it fit, and of those only the ones without which it would not.
  size_t count = 0;
  for (Room room = RoomNow(); !Fits(sequence, room); room = Without(*victims[count++], room)) {
    if (count == victims.size()) return false;
  }
  victims.resize(count);
  for (size_t i = victims.size(); i-- > 0;) {
    Room room = RoomNow();
    for (size_t j = 0; j < victims.size(); ++j) {
      if (j != i) room = Without(*victims[j], room);
    }
    if (Fits(sequence, room)) victims.erase(victims.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (const Sequence* victim : victims) PutBack(victim, sequence.place, batch);
  return !victims.empty();
}

void Scheduler::PutBack(const Sequence* sequence, absl::Duration place, Batch& batch) {
  std::unique_ptr<Sequence> owned = Remove(sequence);
  owned->place = std::max(owned->place, place);
  owned->cache.reset();
  owned->slices_done = 0;
  owned->decoded = 0;
  owned->blocked_since.reset();
  ++owned->preemptions;
  batch.preempted.push_back(owned.get());
  Enqueue(std::move(owned));
}

absl::Duration Scheduler::Urgency(const Sequence& sequence, absl::Duration now) const {
  return kPatience * costs_.PrefillTime(CostLeft(sequence)) - (now - sequence.place);
}

absl::Duration Scheduler::ReadingTime(size_t unread, size_t decoding) const {
  if (decoding == 0) return std::max(config_.target_itl, kReadingAlone);
  if (config_.target_itl > absl::ZeroDuration()) {
    return std::max(absl::ZeroDuration(), config_.target_itl - costs_.DecodeTime());
  }
  // Many prompts behind few streams: a fuller decode batch is worth more than their pace.
  const double crowd = static_cast<double>(std::min(unread, kFullBatch));
  return costs_.DecodeTime() * kReadingShare * std::max(1.0, crowd / static_cast<double>(decoding));
}

void Scheduler::PlanReading(absl::Duration now, Batch& batch) {
  std::vector<std::pair<absl::Duration, Sequence*>> reading;
  for (const auto& sequence : running_) {
    if (!sequence->prefill_done()) reading.emplace_back(Urgency(*sequence, now), sequence.get());
  }
  std::stable_sort(reading.begin(), reading.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  int64_t left =
      costs_.PrefillCostWithin(ReadingTime(reading.size() + waiting_.size(), batch.decode.size()));
  for (const auto& [urgency, sequence] : reading) {
    PrefillWork work{sequence, 0};
    size_t slice = sequence->slices_done;
    for (; slice < sequence->slice_costs.size(); ++slice) {
      const int64_t cost = sequence->slice_costs[slice];
      const bool first = batch.prefill.empty() && work.num_slices == 0;
      if (cost > left && !first) break;
      left -= cost;
      ++work.num_slices;
    }
    if (work.num_slices > 0) batch.prefill.push_back(work);
    if (slice < sequence->slice_costs.size()) return;
  }
}

bool Scheduler::CannotMeetDeadline(const Sequence& sequence, absl::Duration now) const {
  if (!sequence.output.empty() || sequence.deadline == absl::InfiniteDuration()) return false;
  return now + costs_.PrefillTime(CostLeft(sequence)) > sequence.deadline;
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
