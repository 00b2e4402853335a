#include "classifier_service/classify_stream.h"

#include <utility>

#include "classifier_service/wire_classification.h"
#include "engine/base/status.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status_mapping.h"

namespace windowkv {

// gRPC runs no reaction inside StartRead, StartWrite or Finish, so calling them with the mutex held
// is safe.

ClassifyStream::ClassifyStream(Context context)
    : context_(std::move(context)),
      record_(context_.shared, CallRecord::Kind::kStream, context_.trace) {}

void ClassifyStream::Begin() {
  context_.slow_readers->Add(this);
  const std::lock_guard lock(mu_);
  ProceedLocked();
}

void ClassifyStream::Drain() {
  const std::lock_guard lock(mu_);
  EndLocked(absl::UnavailableError("the classifier is shutting down"));
  ProceedLocked();
}

void ClassifyStream::OnReadDone(bool ok) {
  const std::lock_guard lock(mu_);
  reading_ = false;
  if (!ok) read_all_ = true;
  if (!read_all_) TakeLocked();
  ProceedLocked();
}

void ClassifyStream::OnWriteDone(bool ok) {
  WriteEnds();
  const std::lock_guard lock(mu_);
  writing_ = false;
  if (ok) {
    unanswered_bytes_ -= texts_.front().text.size();
    texts_.pop_front();
    if (texts_.empty()) LeaveLocked();
  } else {
    cancelled_ = true;
  }
  ProceedLocked();
}

void ClassifyStream::OnCancel() {
  cancelled_ = true;
  const std::lock_guard lock(mu_);
  ProceedLocked();
}

void ClassifyStream::GiveUp() {
  const std::lock_guard lock(mu_);
  EndLocked(context_.slow_readers->Error());
  cancelled_ = true;
  ProceedLocked();  // the write may have ended meanwhile, and nothing else may come
}

void ClassifyStream::OnDone() {
  context_.slow_readers->Remove(this);
  {
    // Whoever called Finish may still hold it.
    const std::lock_guard lock(mu_);
    LeaveLocked();
  }
  context_.on_done(this);
  delete this;
}

void ClassifyStream::TakeLocked() {
  if (received_ == 0) {
    if (absl::Status status = CheckFirstLocked(); !status.ok()) return EndLocked(status);
  }
  if (absl::Status status = EnterLocked(); !status.ok()) return EndLocked(status);
  Text& text = texts_.emplace_back();
  text.text = std::move(*incoming_.mutable_text());
  text.answer.set_index(received_++);
  text.answer.set_model(*context_.model);
  unanswered_bytes_ += text.text.size();
  if (text.text.empty()) {
    return AnswerLocked(text, InvalidField("text", "is empty, must have at least one character"));
  }
  SubmitLocked(text);
}

absl::Status ClassifyStream::CheckFirstLocked() {
  WINDOWKV_ASSIGN_OR_RETURN(request_id_, RequestIdOrNew(incoming_.request_id()));
  record_.SetRequestId(request_id_);
  return absl::OkStatus();
}

absl::Status ClassifyStream::EnterLocked() {
  if (!stream_) {
    WINDOWKV_ASSIGN_OR_RETURN(stream_, context_.queue->OpenStream());
  }
  return absl::OkStatus();
}

void ClassifyStream::LeaveLocked() {
  if (stream_) context_.queue->CloseStream(*stream_);
  stream_.reset();
}

void ClassifyStream::SubmitLocked(Text& text) {
  ClassificationQueue::Job job;
  job.texts = {text.text};
  job.cancelled = &cancelled_;
  job.done = [this, &text](absl::StatusOr<ClassificationQueue::Decisions> decisions) {
    OnDecided(text, std::move(decisions));
  };
  if (absl::Status status = context_.queue->SubmitTo(*stream_, std::move(job)); !status.ok()) {
    texts_.pop_back();
    --received_;
    return EndLocked(status);
  }
  ++queued_;
}

void ClassifyStream::OnDecided(Text& text,
                               absl::StatusOr<ClassificationQueue::Decisions> decisions) {
  const std::lock_guard lock(mu_);
  --queued_;
  if (decisions.ok()) {
    record_.OnDecision(decisions->front());
    ToWire(decisions->front(), *text.answer.mutable_classification());
    text.answered = true;
  } else {
    AnswerLocked(text, decisions.status());
  }
  ProceedLocked();
}

void ClassifyStream::AnswerLocked(Text& text, const absl::Status& error) {
  record_.OnTextFailed();
  // The details are a google.rpc.Status as a whole.
  text.answer.mutable_error()->ParseFromString(ToGrpcStatus(error, request_id_).error_details());
  text.answered = true;
}

void ClassifyStream::EndLocked(const absl::Status& status) {
  read_all_ = true;
  if (status_.ok()) status_ = status;
}

void ClassifyStream::ProceedLocked() {
  if (finished_) return;
  if (!cancelled_) {
    if (!writing_ && !texts_.empty() && texts_.front().answered) {
      writing_ = true;
      WriteBegins();
      StartWrite(&texts_.front().answer);
    }
    if (!reading_ && !read_all_ && texts_.size() < kStreamTexts &&
        unanswered_bytes_ < kStreamBytes) {
      reading_ = true;
      StartRead(&incoming_);
    }
  }
  const bool all_answered = read_all_ && texts_.empty();
  if (writing_ || queued_ > 0 || !(cancelled_ || all_answered)) return;
  finished_ = true;
  if (cancelled_) EndLocked(absl::CancelledError("the client cancelled the stream"));
  record_.OnEnd(status_, received_ - static_cast<int64_t>(texts_.size()));
  Finish(ToGrpcStatus(status_, request_id_));
}

}  // namespace windowkv
