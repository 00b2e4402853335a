#include "classifier_service/classification_queue.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

constexpr size_t kTextsPerTurn = 8;
constexpr absl::Duration kMinRetryDelay = absl::Milliseconds(100);
constexpr absl::Duration kMaxRetryDelay = absl::Seconds(30);

}  // namespace

ClassificationQueue::ClassificationQueue(const TaskClassifier* classifier, Limits limits)
    : classifier_(classifier), limits_(limits), worker_([this] { Run(); }) {}

ClassificationQueue::~ClassificationQueue() {
  {
    const std::lock_guard lock(mu_);
    draining_ = true;
    stopping_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

absl::Status ClassificationQueue::Submit(Job job) {
  {
    const std::lock_guard lock(mu_);
    if (draining_) return absl::UnavailableError("the classifier is shutting down");
    const int64_t texts = static_cast<int64_t>(job.texts.size());
    const int64_t bytes = BytesOf(job.texts);
    const bool fits = open_texts_ + texts <= limits_.waiting_texts &&
                      open_bytes_ + bytes <= limits_.waiting_bytes;
    if (open_jobs_ > 0 && !fits) {
      return WithRetryDelay(absl::ResourceExhaustedError(absl::StrCat(
                                "the classifier's queue is full: ", open_texts_, " texts of ",
                                open_bytes_, " bytes wait, at most ", limits_.waiting_texts,
                                " texts of ", limits_.waiting_bytes, " bytes may")),
                            RetryDelayLocked());
    }
    ++open_jobs_;
    open_texts_ += texts;
    open_bytes_ += bytes;
    waiting_.push_back({std::move(job), {}});
  }
  changed_.notify_all();
  return absl::OkStatus();
}

void ClassificationQueue::Drain(absl::Duration timeout) {
  std::unique_lock lock(mu_);
  draining_ = true;
  // The standard library adds the timeout to its clock, which must not overflow.
  changed_.wait_for(lock, absl::ToChronoMilliseconds(std::min(timeout, absl::Hours(24))),
                    [this] { return open_jobs_ == 0; });
}

absl::Duration ClassificationQueue::BusyFor() const {
  const std::lock_guard lock(mu_);
  return turn_began_ ? MonotonicNow() - *turn_began_ : absl::ZeroDuration();
}

void ClassificationQueue::Run() {
  std::unique_lock lock(mu_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Running running = std::move(waiting_.front());
    waiting_.pop_front();
    const bool stopping = stopping_;
    const absl::Duration began = MonotonicNow();
    turn_began_ = began;
    lock.unlock();

    const int64_t texts = static_cast<int64_t>(running.job.texts.size());
    const int64_t bytes = BytesOf(running.job.texts);
    const Turn turn = stopping ? Refuse(running) : TakeTurn(running);
    const absl::Duration taken = MonotonicNow() - began;

    lock.lock();
    turn_began_.reset();
    if (turn.texts > 0) time_per_text_ = (3 * time_per_text_ + taken / turn.texts) / 4;
    if (turn.ended) {
      --open_jobs_;
      open_texts_ -= texts;
      open_bytes_ -= bytes;
      changed_.notify_all();
    } else {
      waiting_.push_back(std::move(running));
    }
  }
}

ClassificationQueue::Turn ClassificationQueue::Refuse(Running& running) {
  running.job.done(absl::UnavailableError("the classifier is shutting down"));
  return {.ended = true};
}

ClassificationQueue::Turn ClassificationQueue::TakeTurn(Running& running) const {
  const Job& job = running.job;
  if (job.cancelled->load()) {
    job.done(absl::CancelledError("the client cancelled the request"));
    return {.ended = true};
  }
  const size_t begin = running.decisions.size();
  const size_t texts = std::min(kTextsPerTurn, job.texts.size() - begin);
  auto decisions = classifier_->Classify(std::span(job.texts).subspan(begin, texts));
  if (!decisions.ok()) {
    job.done(decisions.status());
    return {.ended = true};
  }
  std::move(decisions->begin(), decisions->end(), std::back_inserter(running.decisions));
  const Turn turn = {.ended = running.decisions.size() == job.texts.size(), .texts = texts};
  if (turn.ended) job.done(std::move(running.decisions));
  return turn;
}

int64_t ClassificationQueue::BytesOf(const std::vector<std::string_view>& texts) {
  int64_t bytes = 0;
  for (std::string_view text : texts) bytes += static_cast<int64_t>(text.size());
  return bytes;
}

absl::Duration ClassificationQueue::RetryDelayLocked() const {
  return std::clamp(open_texts_ * time_per_text_, kMinRetryDelay, kMaxRetryDelay);
}

}  // namespace windowkv
