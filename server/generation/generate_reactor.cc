#include "server/generation/generate_reactor.h"

#include <functional>
#include <optional>
#include <utility>
#include <variant>

#include "absl/time/clock.h"
#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "grpcpp/alarm.h"
#include "server/generation/wire_response.h"
#include "server/rpc/status_mapping.h"

namespace windowkv {
namespace {

// Runs `work` soon on one of gRPC's threads; returns at once.
void RunOnGrpcThread(std::function<void()> work) {
  auto* alarm = new grpc::Alarm;
  alarm->Set(gpr_now(GPR_CLOCK_REALTIME), [alarm, work = std::move(work)](bool) {
    work();
    delete alarm;
  });
}

class Refusal final : public GenerateWriter {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

GenerateWriter* NewRefusal(const grpc::Status& status) { return new Refusal(status); }

GenerateReactor::GenerateReactor(std::string request_id, std::shared_ptr<TokenStream> stream,
                                 RequestLog log, grpc::CallbackServerContext* context,
                                 SlowReaders* slow_readers)
    : request_id_(std::move(request_id)),
      stream_(std::move(stream)),
      log_(std::move(log)),
      context_(context),
      slow_readers_(slow_readers),
      deadline_(MonotonicNow() + (absl::FromChrono(context->deadline()) - absl::Now())) {}

void GenerateReactor::Begin() {
  if (slow_readers_ != nullptr) slow_readers_->Add(this);
  stream_->SetReadyCallback([this] { Wake(); });
}

void GenerateReactor::Wake() {
  {
    std::lock_guard lock(mu_);
    // A write in flight looks for the next event itself when it is done.
    if (waking_ || writing_ || ended_) return;
    waking_ = true;
  }
  RunOnGrpcThread([this] { OnWakeUp(); });
}

void GenerateReactor::OnWakeUp() {
  std::unique_lock lock(mu_);
  waking_ = false;
  ProceedLocked();
  if (!done_) return;
  lock.unlock();
  delete this;
}

void GenerateReactor::OnWriteDone(bool ok) {
  std::lock_guard lock(mu_);
  WriteEnds();
  writing_ = false;
  cancelled_ = cancelled_ || !ok;
  ProceedLocked();
}

void GenerateReactor::OnCancel() {
  stream_->Cancel();
  std::lock_guard lock(mu_);
  cancelled_ = true;
  ProceedLocked();
}

void GenerateReactor::OnDone() {
  stream_->SetReadyCallback({});  // afterwards nothing wakes it any more
  if (slow_readers_ != nullptr) slow_readers_->Remove(this);
  std::unique_lock lock(mu_);
  done_ = true;
  if (waking_) return;
  lock.unlock();
  delete this;
}

void GenerateReactor::GiveUp() {
  stream_->Cancel();
  std::lock_guard lock(mu_);
  given_up_ = true;
}

void GenerateReactor::ProceedLocked() {
  if (writing_ || ended_) return;
  if (given_up_) return EndLocked(slow_readers_->Error());
  if (cancelled_) {
    stream_->Cancel();
    EndLocked(MonotonicNow() >= deadline_ ? absl::DeadlineExceededError("the deadline passed")
                                          : absl::CancelledError("the client left"));
    return;
  }
  std::optional<StreamEvent> event = stream_->TryNext();
  if (!event) return;
  if (const auto* status = std::get_if<absl::Status>(&*event)) {
    EndLocked(*status);
  } else {
    WriteLocked(*event);
  }
}

void GenerateReactor::WriteLocked(const StreamEvent& event) {
  if (const auto* finished = std::get_if<FinishedEvent>(&event)) {
    response_ = ToWire(*finished);
    log_.OnFinished(*finished);
    ended_ = true;
    WriteBegins();
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
    return;
  }
  if (const auto* accepted = std::get_if<AcceptedEvent>(&event)) {
    response_ = ToWire(*accepted, request_id_);
    log_.OnAccepted(*accepted);
  } else if (const auto* progress = std::get_if<ProgressEvent>(&event)) {
    response_ = ToWire(*progress);
  } else if (const auto* chunk = std::get_if<ChunkEvent>(&event)) {
    response_ = ToWire(*chunk);
  }
  writing_ = true;
  WriteBegins();
  StartWrite(&response_);
}

void GenerateReactor::EndLocked(const absl::Status& status) {
  ended_ = true;
  log_.OnFailed(status);
  Finish(ToGrpcStatus(status, request_id_));
}

}  // namespace windowkv
