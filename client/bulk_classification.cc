#include "client/bulk_classification.h"

#include <cstddef>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/error_details.h"
#include "client/message_size.h"

namespace windowkv::client {
namespace {

constexpr size_t kMaxWaiting = 1024;

// An error of one text, as FromRpcStatus has those of calls; never OK.
absl::Status ErrorOf(const google::rpc::Status& error) {
  const absl::Status status = FromRpcStatus(
      {static_cast<grpc::StatusCode>(error.code()), error.message(), error.SerializeAsString()});
  return status.ok() ? absl::UnknownError(error.message()) : status;
}

}  // namespace

absl::Status BulkClassification::Run(Stream* stream, grpc::ClientContext* context) {
  std::thread sender([&] { Send(stream); });
  absl::Status status;
  for (v1::ClassifyStreamResponse response; status.ok() && stream->Read(&response);) {
    status = Take(response);
  }
  if (!status.ok()) context->TryCancel();
  {
    std::lock_guard lock(mu_);
    over_ = true;
  }
  changed_.notify_one();
  sender.join();
  return status;
}

void BulkClassification::Send(Stream* stream) {
  v1::ClassifyStreamRequest request;
  while (WaitForRoom()) {
    std::optional<absl::StatusOr<std::string>> text = source_();
    if (!text) {
      exhausted_ = true;
      stream->WritesDone();
      return;
    }
    absl::Status status = text->status();
    if (status.ok()) {
      request.set_text(**std::move(text));
      status = CheckMessageSize(request, kMaxBulkTextBytes);
    }
    Enqueue(status);
    if (status.ok() && !stream->Write(request)) return;  // the call is over
  }
}

bool BulkClassification::WaitForRoom() {
  std::unique_lock lock(mu_);
  changed_.wait(lock, [this] { return over_ || waiting_.size() < kMaxWaiting; });
  return !over_;
}

void BulkClassification::Enqueue(const absl::Status& status) {
  std::lock_guard lock(mu_);
  waiting_.push_back(status);
  PassErrorsLocked();
}

absl::Status BulkClassification::Take(const v1::ClassifyStreamResponse& response) {
  {
    std::lock_guard lock(mu_);
    if (waiting_.empty() || response.index() != answered_) {
      return absl::InternalError(absl::StrCat("the server answered text ", response.index(),
                                              " of the stream, not text ", answered_));
    }
    if (response.answer_case() == v1::ClassifyStreamResponse::ANSWER_NOT_SET) {
      return absl::InternalError(
          absl::StrCat("the server's answer to text ", answered_, " of the stream is empty"));
    }
    ++answered_;
    if (response.has_error()) {
      PassLocked(ErrorOf(response.error()));
    } else {
      PassLocked(response);
    }
    PassErrorsLocked();
  }
  changed_.notify_one();
  return absl::OkStatus();
}

void BulkClassification::PassErrorsLocked() {
  while (!waiting_.empty() && !waiting_.front().ok()) PassLocked(waiting_.front());
}

void BulkClassification::PassLocked(const absl::StatusOr<v1::ClassifyStreamResponse>& answer) {
  sink_(passed_++, answer);
  waiting_.pop_front();
}

absl::Status BulkClassification::CheckComplete() const {
  if (exhausted_ && waiting_.empty()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the server ended the stream after ", answered_, " answers, with texts left"));
}

}  // namespace windowkv::client
