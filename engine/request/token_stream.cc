#include "engine/request/token_stream.h"

#include <chrono>
#include <cstddef>
#include <iterator>
#include <utility>

namespace windowkv {
namespace {

// A chunk this large takes no more: what a consumer gets at once stays small enough to send.
constexpr size_t kMaxMergedTokens = 512;
constexpr size_t kMaxMergedBytes = 64 << 10;

// Undelivered events from which on a stream is congested.
constexpr size_t kCongested = 4;

// Appends `newer` to `older` when one event can say both.
bool Merge(StreamEvent& older, StreamEvent& newer) {
  if (std::holds_alternative<ProgressEvent>(older) &&
      std::holds_alternative<ProgressEvent>(newer)) {
    older = std::move(newer);
    return true;
  }
  auto* into = std::get_if<ChunkEvent>(&older);
  auto* from = std::get_if<ChunkEvent>(&newer);
  if (into == nullptr || from == nullptr) return false;
  if (into->token_ids.size() >= kMaxMergedTokens || into->text.size() >= kMaxMergedBytes) {
    return false;
  }
  into->text += from->text;
  into->token_ids.insert(into->token_ids.end(), from->token_ids.begin(), from->token_ids.end());
  into->logprobs.insert(into->logprobs.end(), std::make_move_iterator(from->logprobs.begin()),
                        std::make_move_iterator(from->logprobs.end()));
  return true;
}

}  // namespace

bool IsLast(const StreamEvent& event) {
  return std::holds_alternative<FinishedEvent>(event) ||
         std::holds_alternative<absl::Status>(event);
}

void TokenStream::Cancel() {
  cancelled_.store(true, std::memory_order_release);
  std::lock_guard<std::mutex> lock(mu_);
  if (wake_ && !ended_) wake_();
}

std::optional<StreamEvent> TokenStream::TryNext() {
  std::lock_guard<std::mutex> lock(mu_);
  if (events_.empty()) return std::nullopt;
  StreamEvent event = std::move(events_.front());
  events_.pop_front();
  if (events_.size() < kCongested && congested_.exchange(false) && wake_ && !ended_) wake_();
  return event;
}

std::optional<StreamEvent> TokenStream::Next(absl::Duration timeout) {
  {
    std::unique_lock<std::mutex> lock(mu_);
    auto has_event = [this]() { return !events_.empty(); };
    if (timeout == absl::InfiniteDuration()) {
      event_cv_.wait(lock, has_event);
    } else if (!event_cv_.wait_for(lock, absl::ToChronoNanoseconds(timeout), has_event)) {
      return std::nullopt;
    }
  }
  return TryNext();
}

void TokenStream::SetReadyCallback(std::function<void()> ready) {
  std::lock_guard<std::mutex> callback_lock(callback_mu_);
  ready_ = std::move(ready);
  if (!ready_) return;
  // Looked at only now: the producer of an event that comes later finds the new callback.
  bool waiting = false;
  {
    std::lock_guard<std::mutex> lock(mu_);
    waiting = !events_.empty();
  }
  if (waiting) ready_();
}

void TokenStream::Push(StreamEvent event) {
  bool was_empty = false;
  {
    std::lock_guard<std::mutex> lock(mu_);
    was_empty = events_.empty();
    ended_ = IsLast(event);
    if (was_empty || !Merge(events_.back(), event)) events_.push_back(std::move(event));
    if (events_.size() >= kCongested) congested_.store(true, std::memory_order_release);
  }
  event_cv_.notify_one();
  if (!was_empty) return;
  std::lock_guard<std::mutex> lock(callback_mu_);
  if (ready_) ready_();
}

}  // namespace windowkv
