#include "engine/runtime/request_queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

// Of the newest interval: requests are admitted in bursts, so it takes a few dozen to know the
// pace.
constexpr double kNewest = 0.05;

constexpr absl::Duration kShortestRetry = absl::Milliseconds(100);
constexpr absl::Duration kLongestRetry = absl::Minutes(1);
constexpr absl::Duration kRetryOfUnknownPace = absl::Seconds(1);

}  // namespace

absl::Status RequestQueue::Enter(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mu_);
  absl::Status refusal = RefusalLocked(bytes);
  if (!refusal.ok()) {
    // By then half of those that wait now have gone.
    const absl::Duration delay =
        interval_ ? std::clamp(*interval_ * (waiting_ / 2.0), kShortestRetry, kLongestRetry)
                  : kRetryOfUnknownPace;
    return WithRetryDelay(std::move(refusal), delay);
  }
  ++waiting_;
  waiting_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status RequestQueue::RefusalLocked(int64_t bytes) const {
  if (waiting_ == 0) return absl::OkStatus();
  if (waiting_ >= limits_.requests) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full: ", waiting_, " requests wait, the most it takes"));
  }
  if (waiting_bytes_ + bytes > limits_.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: prompts of ",
                                                     waiting_bytes_, " bytes wait, with ", bytes,
                                                     " more it would hold over ", limits_.bytes));
  }
  if (limits_.wait > absl::ZeroDuration() && interval_ && *interval_ * waiting_ > limits_.wait) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the request would wait about ",
        absl::FormatDuration(absl::Trunc(*interval_ * waiting_, absl::Milliseconds(1))),
        ", the server's limit is ", absl::FormatDuration(limits_.wait)));
  }
  return absl::OkStatus();
}

void RequestQueue::LeaveLocked(int64_t bytes) {
  --waiting_;
  waiting_bytes_ -= bytes;
}

void RequestQueue::OnAdmitted(int64_t bytes, absl::Duration now) {
  std::lock_guard<std::mutex> lock(mu_);
  LeaveLocked(bytes);
  ++running_;
  if (last_admitted_) {
    const absl::Duration interval = now - *last_admitted_;
    interval_ = interval_ ? *interval_ + kNewest * (interval - *interval_) : interval;
  }
  // What comes into an empty queue says nothing of how fast a full one moves.
  last_admitted_ = waiting_ > 0 ? std::optional(now) : std::nullopt;
}

void RequestQueue::OnEnded(bool was_admitted, int64_t bytes) {
  std::lock_guard<std::mutex> lock(mu_);
  if (was_admitted) {
    --running_;
  } else {
    LeaveLocked(bytes);
  }
  if (waiting_ + running_ == 0) idle_cv_.notify_all();
}

bool RequestQueue::WaitUntilIdle(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mu_);
  return idle_cv_.wait_for(lock, absl::ToChronoNanoseconds(timeout),
                           [this]() { return waiting_ + running_ == 0; });
}

int32_t RequestQueue::waiting() const {
  std::lock_guard<std::mutex> lock(mu_);
  return waiting_;
}

int32_t RequestQueue::running() const {
  std::lock_guard<std::mutex> lock(mu_);
  return running_;
}

std::optional<absl::Duration> RequestQueue::ExpectedWait() const {
  std::lock_guard<std::mutex> lock(mu_);
  if (!interval_) return std::nullopt;
  return *interval_ * waiting_;
}

}  // namespace windowkv
