#include "engine/runtime/engine_inbox.h"

#include <utility>

#include "engine/base/monotonic_clock.h"

namespace windowkv {

void EngineInbox::Add(std::unique_ptr<Sequence> sequence) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    added_.push_back(std::move(sequence));
  }
  news_cv_.notify_one();
}

void EngineInbox::Wake() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    woken_ = true;
  }
  news_cv_.notify_one();
}

void EngineInbox::Abort(const absl::Status& status) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (abort_.ok()) abort_ = status;
    woken_ = true;
  }
  news_cv_.notify_one();
}

void EngineInbox::Stop() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    stopping_ = true;
  }
  news_cv_.notify_one();
}

EngineInbox::News EngineInbox::Take(absl::Duration deadline) {
  std::unique_lock<std::mutex> lock(mu_);
  const auto ready = [this]() { return !added_.empty() || woken_ || stopping_; };
  if (deadline == absl::InfiniteDuration()) {
    news_cv_.wait(lock, ready);
  } else if (const absl::Duration left = deadline - MonotonicNow(); left > absl::ZeroDuration()) {
    news_cv_.wait_for(lock, absl::ToChronoNanoseconds(left), ready);
  }
  woken_ = false;
  return {std::exchange(added_, {}), abort_, stopping_};
}

}  // namespace windowkv
