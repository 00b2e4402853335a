#include "classifier_service/classification_queue.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

// Pieces computed together, unless one text has more. Short texts gain by company; this many pieces
// keep the processor busy, and more would only make others wait.
constexpr size_t kMaxBatchPieces = 512;
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
    WINDOWKV_RETURN_IF_ERROR(CheckOpenLocked());
    const int64_t texts = static_cast<int64_t>(job.texts.size());
    const bool fits = counted_texts_ + texts <= limits_.waiting_texts &&
                      counted_bytes_ + BytesOf(job.texts) <= limits_.waiting_bytes;
    if (counted_jobs_ > 0 && !fits) {
      return WithRetryDelay(absl::ResourceExhaustedError(absl::StrCat(
                                "the classifier's queue is full: ", counted_texts_, " texts of ",
                                counted_bytes_, " bytes wait, at most ", limits_.waiting_texts,
                                " texts of ", limits_.waiting_bytes, " bytes may")),
                            RetryDelayLocked());
    }
    AddLocked(next_caller_++, std::move(job), /*counted=*/true);
  }
  changed_.notify_all();
  return absl::OkStatus();
}

absl::StatusOr<ClassificationQueue::StreamId> ClassificationQueue::OpenStream() {
  const std::lock_guard lock(mu_);
  WINDOWKV_RETURN_IF_ERROR(CheckOpenLocked());
  if (open_streams_ >= limits_.streams) {
    return WithRetryDelay(absl::ResourceExhaustedError(
                              absl::StrCat("the classifier serves ", open_streams_,
                                           " streams, at most ", limits_.streams, " may be")),
                          RetryDelayLocked());
  }
  ++open_streams_;
  return next_caller_++;
}

absl::Status ClassificationQueue::SubmitTo(StreamId stream, Job job) {
  {
    const std::lock_guard lock(mu_);
    WINDOWKV_RETURN_IF_ERROR(CheckOpenLocked());
    AddLocked(stream, std::move(job), /*counted=*/false);
  }
  changed_.notify_all();
  return absl::OkStatus();
}

void ClassificationQueue::CloseStream(StreamId) {
  const std::lock_guard lock(mu_);
  --open_streams_;
}

absl::Status ClassificationQueue::CheckOpenLocked() const {
  if (draining_) return absl::UnavailableError("the classifier is shutting down");
  return absl::OkStatus();
}

void ClassificationQueue::AddLocked(TextTurns::CallerId caller, Job job, bool counted) {
  const int64_t texts = static_cast<int64_t>(job.texts.size());
  ++open_jobs_;
  open_texts_ += texts;
  if (counted) {
    ++counted_jobs_;
    counted_texts_ += texts;
    counted_bytes_ += BytesOf(job.texts);
  }
  auto open = std::make_unique<OpenJob>();
  open->decisions.resize(job.texts.size());
  open->job = std::move(job);
  open->counted = counted;
  turns_.Add(caller, std::move(open));
}

void ClassificationQueue::Drain(absl::Duration timeout) {
  std::unique_lock lock(mu_);
  draining_ = true;
  changed_.wait_for(lock, absl::ToChronoMilliseconds(timeout), [this] { return open_jobs_ == 0; });
}

absl::Duration ClassificationQueue::BusyFor() const {
  const std::lock_guard lock(mu_);
  return batch_began_ ? MonotonicNow() - *batch_began_ : absl::ZeroDuration();
}

void ClassificationQueue::Run() {
  std::unique_lock lock(mu_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !turns_.empty(); });
    if (turns_.empty()) return;
    const absl::Duration began = MonotonicNow();
    batch_began_ = began;
    Batch batch = TakeBatch(lock);
    lock.unlock();

    Decide(batch);
    const absl::Duration taken = MonotonicNow() - began;
    int64_t texts = 0, counted_jobs = 0, counted_texts = 0, counted_bytes = 0;
    for (const auto& job : batch.leaving) {
      texts += static_cast<int64_t>(job->job.texts.size());
      if (job->counted) {
        ++counted_jobs;
        counted_texts += static_cast<int64_t>(job->job.texts.size());
        counted_bytes += BytesOf(job->job.texts);
      }
      End(*job);
    }

    lock.lock();
    batch_began_.reset();
    if (!batch.texts.empty()) {
      time_per_text_ = (3 * time_per_text_ + taken / batch.texts.size()) / 4;
    }
    open_jobs_ -= static_cast<int64_t>(batch.leaving.size());
    open_texts_ -= texts;
    counted_jobs_ -= counted_jobs;
    counted_texts_ -= counted_texts;
    counted_bytes_ -= counted_bytes;
    if (!batch.leaving.empty()) changed_.notify_all();
  }
}

// The next texts that are computed together, at least one unless all whose turn it is have gone.
// The lock is not held while a text is read: only this thread takes jobs away.
ClassificationQueue::Batch ClassificationQueue::TakeBatch(std::unique_lock<std::mutex>& lock) {
  Batch batch;
  while (!turns_.empty()) {
    OpenJob& job = turns_.Front();
    if (stopping_ && job.error.ok()) {
      job.error = absl::UnavailableError("the classifier is shutting down");
    } else if (job.job.cancelled->load() && job.error.ok()) {
      job.error = absl::CancelledError("the client cancelled the request");
    }
    if (!job.error.ok()) {
      batch.leaving.push_back(turns_.Pop(/*give_up=*/true));
      continue;
    }
    if (!job.read_ahead) {
      const std::string_view text = job.job.texts[job.taken];
      lock.unlock();
      job.read_ahead = classifier_->Read(text);
      lock.lock();
    }
    const size_t pieces = job.read_ahead->ids.size();
    if (!batch.texts.empty() && batch.pieces + pieces > kMaxBatchPieces) break;
    batch.pieces += pieces;
    batch.texts.push_back(*std::move(job.read_ahead));
    batch.origins.push_back({&job, job.taken++});
    job.read_ahead.reset();
    if (auto leaving = turns_.Pop(/*give_up=*/false)) batch.leaving.push_back(std::move(leaving));
  }
  return batch;
}

// A text that fails does not take others with it: they are decided one by one.
void ClassificationQueue::Decide(Batch& batch) const {
  if (batch.texts.empty()) return;
  const std::span<const ReadText> texts(batch.texts);
  auto together = classifier_->Decide(texts);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto& [job, text] = batch.origins[i];
    if (together.ok()) {
      job->decisions[text] = std::move((*together)[i]);
      continue;
    }
    auto alone = texts.size() == 1 ? absl::StatusOr<Decisions>(together.status())
                                   : classifier_->Decide(texts.subspan(i, 1));
    if (alone.ok()) {
      job->decisions[text] = std::move(alone->front());
    } else if (job->error.ok()) {
      job->error = alone.status();
    }
  }
}

void ClassificationQueue::End(OpenJob& job) {
  if (job.error.ok()) {
    job.job.done(std::move(job.decisions));
  } else {
    job.job.done(job.error);
  }
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
