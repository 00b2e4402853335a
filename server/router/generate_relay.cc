#include "server/router/generate_relay.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "grpcpp/client_context.h"
#include "server/router/forwarded_status.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status_mapping.h"

namespace windowkv {

GenerateRelay* GenerateRelay::Start(const RelayContext& relay, grpc::CallbackServerContext* server,
                                    v1::GenerateRequest request) {
  auto* call = new GenerateRelay(relay, server, std::move(request));  // deleted in OnDone
  call->Begin();
  return call;
}

GenerateRelay::GenerateRelay(const RelayContext& relay, grpc::CallbackServerContext* server,
                             v1::GenerateRequest request)
    : relay_(relay),
      server_(server),
      request_(std::move(request)),
      trace_(TraceContext::Of(server->client_metadata())),
      logger_(relay.logger.ForTrace(trace_.trace_id())),
      arrival_(MonotonicNow()) {}

void GenerateRelay::Begin() {
  relay_.slow_readers->Add(this);
  const bool has_verdict = request_.has_task_verdict();
  request_.clear_task_verdict();  // the client's words, of any length, not for the log
  auto request_id = RequestIdOrNew(request_.request_id());
  if (!request_id.ok()) return End(ToGrpcStatus(request_id.status(), ""));
  request_.set_request_id(*request_id);
  logger_ = logger_.ForRequest(*request_id);
  const auto bytes = static_cast<int64_t>(request_.ByteSizeLong());
  if (absl::Status status = relay_.open_relays->Add(this, bytes); !status.ok()) {
    return End(ToGrpcStatus(status, *request_id));
  }
  logger_.Debug("request received", {{"bytes", bytes}});
  if (has_verdict) {
    const absl::Status error =
        InvalidField("task_verdict", "is set, only a router sets it; name the task in `task`");
    return End(ToGrpcStatus(error, *request_id));
  }
  relay_.decider->Decide(
      request_, {[this] { return NewContext(); }, [this] { return cancelled(); }},
      [this](std::optional<v1::TaskVerdict> verdict) { OnVerdict(std::move(verdict)); });
}

void GenerateRelay::OnVerdict(std::optional<v1::TaskVerdict> verdict) {
  if (verdict) {
    logger_.Debug("task decided", {{"task", TaskWord(verdict->task())}});
    *request_.mutable_task_verdict() = *std::move(verdict);
  }
  Forward(ToGrpcStatus(relay_.pool->NoBackendError(), request_.request_id()));
}

void GenerateRelay::Forward(const grpc::Status& error) {
  if (server_->IsCancelled()) return End(grpc::Status::CANCELLED);
  if (absl::Status early = early_end(); !early.ok()) {
    return End(ToGrpcStatus(early, request_.request_id()));
  }
  Backend* next = relay_.pool->PickForStream(tried_);
  if (next == nullptr) return End(error);
  if (tried_.empty()) {
    relay_.metrics->OnForwarded(MonotonicNow() - arrival_);
  } else {
    RecordRetry(error);
  }
  backend_ = next;
  tried_.insert(backend_);
  relay_.metrics->OnPicked(backend_->target());
  logger_.Debug("request forwarded", {{"backend", backend_->target()}, {"attempt", tried_.size()}});
  BackendStream::Start(backend_, NewContext(), request_, this);
}

void GenerateRelay::OnMessage(BackendStream* stream, const v1::GenerateResponse& message) {
  stream_ = stream;
  if (!handed_on_) ForgetPrompt();
  handed_on_ = true;
  ++messages_;
  WriteBegins();
  StartWrite(&message);
}

// A prompt may be long, and its stream may run for hours.
void GenerateRelay::ForgetPrompt() {
  v1::GenerateRequest rest;
  rest.set_request_id(request_.request_id());
  *rest.mutable_task_verdict() = request_.task_verdict();
  request_ = std::move(rest);
  relay_.open_relays->ForgetPrompt(this);
}

void GenerateRelay::OnWriteDone(bool ok) {
  WriteEnds();
  if (!ok) CancelOutgoing();  // the client is gone, which OnCancel may tell only later
  if (ok && early_end().ok()) {
    stream_->Next();
  } else {
    stream_->Abandon();
  }
}

void GenerateRelay::OnEnd(const grpc::Status& status) {
  const bool unreachable = IsOwnUnavailable(status);
  if (unreachable) backend_->OnUnreachable(status.error_message());
  if (absl::Status early = early_end(); !status.ok() && !early.ok()) {
    return End(ToGrpcStatus(early, request_.request_id()));
  }
  if (cancelled()) return End(StatusWithoutClient(status));
  const grpc::Status forwarded = WithDetails(status);
  if (!MayRetry(forwarded)) return End(forwarded);
  Forward(forwarded);
}

void GenerateRelay::RecordRetry(const grpc::Status& status) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  relay_.metrics->OnRetry(backend_->target(), code);
  logger_.Warning("backend refused, trying another", {{"backend", backend_->target()},
                                                      {"code", absl::StatusCodeToString(code)},
                                                      {"reason", status.error_message()}});
}

bool GenerateRelay::MayRetry(const grpc::Status& status) const {
  const bool elsewhere_may_do = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                                status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  return elsewhere_may_do && !handed_on_ &&
         tried_.size() <= static_cast<size_t>(relay_.max_retries);
}

grpc::Status GenerateRelay::WithDetails(const grpc::Status& status) const {
  return ForwardedStatus(status, backend_->target(), request_.request_id());
}

void GenerateRelay::End(const grpc::Status& status) {
  status_ = status;
  Finish(status);
}

std::shared_ptr<grpc::ClientContext> GenerateRelay::NewContext() {
  // Cancelled by OnCancel alone: gRPC's own propagation may end the call before it is known here
  // that the client left.
  std::shared_ptr<grpc::ClientContext> context = grpc::ClientContext::FromCallbackServerContext(
      *server_, grpc::PropagationOptions().disable_cancellation_propagation());
  trace_.AddTo(context.get());
  {
    std::lock_guard lock(mu_);
    outgoing_ = context;
  }
  if (cancelled()) context->TryCancel();
  return context;
}

bool GenerateRelay::cancelled() {
  std::lock_guard lock(mu_);
  return cancelled_;
}

absl::Status GenerateRelay::early_end() {
  std::lock_guard lock(mu_);
  return early_end_;
}

void GenerateRelay::EndEarly(const absl::Status& reason) {
  {
    std::lock_guard lock(mu_);
    if (early_end_.ok()) early_end_ = reason;
  }
  CancelOutgoing();
}

void GenerateRelay::OnCancel() { CancelOutgoing(); }

void GenerateRelay::CancelOutgoing() {
  std::shared_ptr<grpc::ClientContext> outgoing;
  {
    std::lock_guard lock(mu_);
    cancelled_ = true;
    outgoing = outgoing_;
  }
  if (outgoing != nullptr) outgoing->TryCancel();
}

void GenerateRelay::OnDone() {
  relay_.open_relays->Remove(this);
  relay_.slow_readers->Remove(this);
  const std::unique_ptr<GenerateRelay> self(this);
  const auto code = static_cast<absl::StatusCode>(status_.error_code());
  const absl::Duration duration = MonotonicNow() - arrival_;
  relay_.metrics->OnRequestEnded(code, duration);
  const v1::TaskVerdict& task = request_.task_verdict();
  logger_.Info("request ended", {{"code", absl::StatusCodeToString(code)},
                                 {"backend", backend_ == nullptr ? "" : backend_->target()},
                                 {"attempts", tried_.size()},
                                 {"task", TaskWord(task.task())},
                                 {"task_confidence", static_cast<double>(task.confidence())},
                                 {"fallback_reason", task.fallback_reason()},
                                 {"messages", messages_},
                                 {"error", status_.error_message()},
                                 {"duration", duration}});
}

}  // namespace windowkv
