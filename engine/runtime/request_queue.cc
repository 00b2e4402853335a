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
    // By then half of those before it have gone.
    const std::optional<absl::Duration> wait = ExpectedWaitLocked();
    return WithRetryDelay(
        std::move(refusal),
        wait ? std::clamp(*wait / 2, kShortestRetry, kLongestRetry) : kRetryOfUnknownPace);
  }
  ++waiting_;
  waiting_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status RequestQueue::RefusalLocked(int64_t bytes) const {
  if (waiting_ >= limits_.requests) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full: ", waiting_, " requests wait, the most it takes"));
  }
  if (waiting_ > 0 && waiting_bytes_ + bytes > limits_.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: prompts of ",
                                                     waiting_bytes_, " bytes wait, with ", bytes,
                                                     " more it would hold over ", limits_.bytes));
  }
  // One may always stand behind the prompt that is being read: else a pace that was slow once would
  // keep everyone out, and never be measured again.
  if (limits_.wait == absl::ZeroDuration() || waiting_ + unread_ <= 1) return absl::OkStatus();
  const std::optional<absl::Duration> wait = ExpectedWaitLocked();
  if (wait && *wait > limits_.wait) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the request would wait about ",
                     absl::FormatDuration(absl::Trunc(*wait, absl::Milliseconds(1))),
                     ", the server's limit is ", absl::FormatDuration(limits_.wait)));
  }
  return absl::OkStatus();
}

void RequestQueue::LeaveLocked(int64_t bytes) {
  --waiting_;
  waiting_bytes_ -= bytes;
}

void RequestQueue::OnAdmitted(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mu_);
  LeaveLocked(bytes);
  ++unread_;
}

void RequestQueue::OnRead(absl::Duration now) {
  std::lock_guard<std::mutex> lock(mu_);
  --unread_;
  ++read_;
  if (last_read_) {
    const absl::Duration interval = now - *last_read_;
    const double newest = std::max(kNewest, 1.0 / ++intervals_);  // of the first ones the mean
    interval_ = interval_.value_or(interval);
    *interval_ += newest * (interval - *interval_);
  }
  // What is read as it comes says nothing of how fast a queue moves.
  last_read_ = waiting_ + unread_ > 0 ? std::optional(now) : std::nullopt;
}

void RequestQueue::OnEnded(Stage stage, int64_t bytes) {
  std::lock_guard<std::mutex> lock(mu_);
  switch (stage) {
    case Stage::kWaiting:
      LeaveLocked(bytes);
      break;
    case Stage::kUnread:
      --unread_;
      break;
    case Stage::kRead:
      --read_;
  }
  if (waiting_ + unread_ == 0) last_read_.reset();  // nobody is left whose reading would tell
  if (waiting_ + unread_ + read_ == 0) idle_cv_.notify_all();
}

bool RequestQueue::WaitUntilIdle(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mu_);
  return idle_cv_.wait_for(lock, absl::ToChronoNanoseconds(timeout),
                           [this]() { return waiting_ + unread_ + read_ == 0; });
}

int32_t RequestQueue::waiting() const {
  std::lock_guard<std::mutex> lock(mu_);
  return waiting_;
}

int32_t RequestQueue::running() const {
  std::lock_guard<std::mutex> lock(mu_);
  return unread_ + read_;
}

std::optional<absl::Duration> RequestQueue::ExpectedWait() const {
  std::lock_guard<std::mutex> lock(mu_);
  return ExpectedWaitLocked();
}

std::optional<absl::Duration> RequestQueue::ExpectedWaitLocked() const {
  if (!interval_) return std::nullopt;
  return *interval_ * (waiting_ + unread_);
}

}  // namespace windowkv
