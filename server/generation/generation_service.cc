#include "server/generation/generation_service.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "server/generation/request_log.h"
#include "server/generation/wire_request.h"
#include "server/generation/wire_response.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status_mapping.h"
#include "server/rpc/trace_context.h"

namespace windowkv {
namespace {

// INVALID_ARGUMENT: a request id that cannot be used; `id` gets one of ours then.
absl::Status TakeRequestId(std::string_view given, std::string* id) {
  const absl::StatusOr<std::string> taken = RequestIdOrNew(given);
  *id = taken.ok() ? *taken : *RequestIdOrNew("");
  return taken.status();
}

}  // namespace

GenerationServiceImpl::GenerationServiceImpl(Engine* engine, EngineMetrics* metrics, Logger logger,
                                             SlowReaders* slow_readers)
    : engine_(engine),
      metrics_(metrics),
      logger_(std::move(logger)),
      slow_readers_(slow_readers),
      tokenize_(engine) {}

GenerateWriter* GenerationServiceImpl::Generate(grpc::CallbackServerContext* context,
                                                const v1::GenerateRequest* request) {
  const absl::Duration arrival = MonotonicNow();
  const bool has_deadline = context->deadline() != std::chrono::system_clock::time_point::max();
  const absl::Time deadline =
      has_deadline ? absl::FromChrono(context->deadline()) : absl::InfiniteFuture();
  std::string id;
  const absl::Status id_status = TakeRequestId(request->request_id(), &id);
  const TraceContext trace = TraceContext::Of(context->client_metadata());
  RequestLog log(logger_.ForTrace(trace.trace_id()), id, arrival);
  auto converted =
      id_status.ok()
          ? ToGenerationRequest(*request, id, engine_->model_info().sampling_defaults, deadline)
          : id_status;
  if (!converted.ok()) {
    metrics_->OnRequestFailed(converted.status().code());
    log.OnFailed(converted.status());
    return NewRefusal(ToGrpcStatus(converted.status(), id));
  }
  auto stream = engine_->Submit(*std::move(converted));
  if (!stream.ok()) {
    log.OnFailed(stream.status());
    return NewRefusal(ToGrpcStatus(stream.status(), id));
  }
  auto* reactor = new GenerateReactor(std::move(id), *std::move(stream), std::move(log), context,
                                      slow_readers_);
  reactor->Begin();
  return reactor;
}

grpc::Status GenerationServiceImpl::Tokenize(grpc::ServerContext* context,
                                             const v1::TokenizeRequest* request,
                                             v1::TokenizeResponse* response) {
  const absl::Status status = tokenize_.Run(
      *request, [context] { return context->IsCancelled(); }, response);
  return ToGrpcStatus(status, "");
}

grpc::Status GenerationServiceImpl::GetModelInfo(grpc::ServerContext* context,
                                                 const v1::GetModelInfoRequest* request,
                                                 v1::ModelInfo* response) {
  auto info = ToWire(engine_->model_info());
  if (!info.ok()) return ToGrpcStatus(info.status(), "");
  *response = *std::move(info);
  return grpc::Status::OK;
}

grpc::Status GenerationServiceImpl::GetLoad(grpc::ServerContext* context,
                                            const v1::GetLoadRequest* request, v1::Load* response) {
  *response = ToWire(engine_->load());
  return grpc::Status::OK;
}

}  // namespace windowkv
