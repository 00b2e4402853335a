#include "classifier_service/classifier_rpc.h"

#include <atomic>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "classifier_service/wire_classification.h"
#include "engine/base/status.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status_mapping.h"
#include "server/rpc/trace_context.h"

namespace windowkv {

absl::Status ValidateTexts(const v1::ClassifyRequest& request) {
  const int count = request.texts_size();
  if (count < 1 || count > kMaxTextsPerRequest) {
    return InvalidField(
        "texts", absl::StrCat("has ", count, " entries, must have 1 to ", kMaxTextsPerRequest));
  }
  for (int i = 0; i < count; ++i) {
    if (request.texts(i).empty()) {
      return InvalidField(absl::StrCat("texts[", i, "]"),
                          "is empty, must have at least one character");
    }
  }
  return absl::OkStatus();
}

// One Classify call. gRPC owns it from its return to OnDone, which deletes it; Finish is called
// once, either before it is queued or by the queue.
class ClassifierRpc::Call final : public grpc::ServerUnaryReactor {
 public:
  Call(ClassifierRpc* rpc, const TraceContext& trace, const v1::ClassifyRequest* request,
       v1::ClassifyResponse* response)
      : rpc_(rpc),
        request_(request),
        response_(response),
        record_(&rpc->shared_, CallRecord::Kind::kUnary, trace) {}

  void Start() {
    if (absl::Status status = Enqueue(); !status.ok()) FinishWith(status);
  }

  void OnCancel() override { cancelled_ = true; }

  void OnDone() override { delete this; }

 private:
  absl::Status Enqueue() {
    WINDOWKV_ASSIGN_OR_RETURN(request_id_, RequestIdOrNew(request_->request_id()));
    record_.SetRequestId(request_id_);
    WINDOWKV_RETURN_IF_ERROR(ValidateTexts(*request_));
    ClassificationQueue::Job job;
    job.texts.assign(request_->texts().begin(), request_->texts().end());
    job.cancelled = &cancelled_;
    job.done = [this](absl::StatusOr<ClassificationQueue::Decisions> decisions) {
      if (!decisions.ok()) return FinishWith(decisions.status());
      Answer(*decisions);
      FinishWith(absl::OkStatus());
    };
    return rpc_->queue_->Submit(std::move(job));
  }

  void Answer(const ClassificationQueue::Decisions& decisions) {
    response_->set_model(rpc_->model_);
    for (const TaskDecision& decision : decisions) {
      ToWire(decision, *response_->add_classifications());
      record_.OnDecision(decision);
    }
  }

  // After Finish this may be gone.
  void FinishWith(const absl::Status& status) {
    record_.OnEnd(status, response_->classifications_size());
    Finish(ToGrpcStatus(status, request_id_));
  }

  ClassifierRpc* const rpc_;
  const v1::ClassifyRequest* const request_;  // gRPC's, until Finish
  v1::ClassifyResponse* const response_;      // gRPC's, until Finish
  std::string request_id_;                    // empty until it is known to be good
  CallRecord record_;
  std::atomic<bool> cancelled_ = false;
};

ClassifierRpc::ClassifierRpc(ClassificationQueue* queue, ClassifierMetrics* metrics,
                             SlowReaders* slow_readers, Logger logger, std::string model)
    : queue_(queue),
      slow_readers_(slow_readers),
      shared_{.metrics = metrics, .logger = std::move(logger)},
      model_(std::move(model)) {}

grpc::ServerUnaryReactor* ClassifierRpc::Classify(grpc::CallbackServerContext* context,
                                                  const v1::ClassifyRequest* request,
                                                  v1::ClassifyResponse* response) {
  auto* call = new Call(this, TraceContext::Of(context->client_metadata()), request, response);
  call->Start();
  return call;
}

grpc::ServerBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>*
ClassifierRpc::ClassifyStream(grpc::CallbackServerContext* context) {
  auto* stream =
      new windowkv::ClassifyStream({.queue = queue_,
                                    .shared = &shared_,
                                    .slow_readers = slow_readers_,
                                    .server = context,
                                    .trace = TraceContext::Of(context->client_metadata()),
                                    .model = &model_,
                                    .on_done = [this](auto* done) {
                                      const std::lock_guard lock(mu_);
                                      streams_.erase(done);
                                    }});
  const std::lock_guard lock(mu_);
  streams_.insert(stream);
  if (draining_) {
    stream->Drain();
  } else {
    stream->Begin();
  }
  return stream;
}

void ClassifierRpc::Drain(absl::Duration timeout) {
  {
    const std::lock_guard lock(mu_);
    draining_ = true;
    for (windowkv::ClassifyStream* stream : streams_) stream->Drain();
  }
  queue_->Drain(timeout);
}

}  // namespace windowkv
