#include "classifier_service/classifier_rpc.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status_mapping.h"

namespace windowkv {
namespace {

v1::Task ToWire(Task task) {
  return task == Task::kLocalization ? v1::TASK_LOCALIZATION : v1::TASK_AGGREGATION;
}

void ToWire(const TaskDecision& decision, v1::TaskClassification& wire) {
  wire.set_task(ToWire(decision.task));
  wire.set_confidence(decision.confidence);
  for (const TaskDecision::Probability& probability : decision.probabilities) {
    auto* entry = wire.add_probabilities();
    entry->set_task(ToWire(probability.task));
    entry->set_probability(probability.probability);
  }
  wire.set_tokens_read(decision.tokens_read);
  wire.set_truncated(decision.truncated);
}

}  // namespace

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
  Call(ClassifierRpc* rpc, const v1::ClassifyRequest* request, v1::ClassifyResponse* response)
      : rpc_(rpc), request_(request), response_(response), logger_(rpc->logger_) {
    rpc_->metrics_->OnRunning(++rpc_->running_);
  }

  void Start() {
    if (absl::Status status = Enqueue(); !status.ok()) FinishWith(status);
  }

  void OnCancel() override { cancelled_ = true; }

  void OnDone() override { delete this; }

 private:
  absl::Status Enqueue() {
    WINDOWKV_ASSIGN_OR_RETURN(request_id_, RequestIdOrNew(request_->request_id()));
    logger_ = rpc_->logger_.ForRequest(request_id_);
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
      rpc_->metrics_->OnDecision(decision.task, decision.confidence, decision.tokens_read,
                                 decision.truncated);
    }
  }

  // After Finish this may be gone.
  void FinishWith(const absl::Status& status) {
    const absl::Duration taken = MonotonicNow() - began_;
    if (status.ok()) {
      rpc_->metrics_->OnRequestFinished(request_->texts_size(), taken);
      logger_.Info("classified", {{"texts", request_->texts_size()}, {"seconds", taken}});
    } else {
      rpc_->metrics_->OnRequestFailed(status.code());
      logger_.Warning("not classified", {{"code", absl::StatusCodeToString(status.code())},
                                         {"reason", ToStd(status.message())}});
    }
    rpc_->metrics_->OnRunning(--rpc_->running_);
    Finish(ToGrpcStatus(status, request_id_));
  }

  ClassifierRpc* const rpc_;
  const v1::ClassifyRequest* const request_;  // gRPC's, until Finish
  v1::ClassifyResponse* const response_;      // gRPC's, until Finish
  std::string request_id_;                    // empty until it is known to be good
  Logger logger_;
  const absl::Duration began_ = MonotonicNow();
  std::atomic<bool> cancelled_ = false;
};

ClassifierRpc::ClassifierRpc(ClassificationQueue* queue, ClassifierMetrics* metrics, Logger logger,
                             std::string model)
    : queue_(queue), metrics_(metrics), logger_(std::move(logger)), model_(std::move(model)) {}

grpc::ServerUnaryReactor* ClassifierRpc::Classify(grpc::CallbackServerContext* context,
                                                  const v1::ClassifyRequest* request,
                                                  v1::ClassifyResponse* response) {
  auto* call = new Call(this, request, response);
  call->Start();
  return call;
}

}  // namespace windowkv
