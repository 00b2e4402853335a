#include "classifier_service/call_record.h"

#include "engine/base/status.h"

namespace windowkv {

CallRecord::CallRecord(Shared* shared, Kind kind, const TraceContext& trace)
    : shared_(shared), kind_(kind), logger_(shared->logger.ForTrace(trace.trace_id())) {
  shared_->metrics->OnCallBegan();
}

void CallRecord::SetRequestId(std::string_view request_id) {
  logger_ = logger_.ForRequest(request_id);
}

void CallRecord::OnDecision(const TaskDecision& decision) {
  shared_->metrics->OnDecision(decision.task, decision.confidence, decision.tokens_read,
                               decision.truncated);
  if (decision.unfamiliar >= kUndecidedFrom) shared_->metrics->OnUndecided();
}

void CallRecord::OnEnd(const absl::Status& status, int64_t texts) {
  const absl::Duration taken = MonotonicNow() - began_;
  const bool stream = kind_ == Kind::kStream;
  if (stream) shared_->metrics->OnStreamEnded(texts, failed_texts_);
  if (status.ok()) {
    if (!stream) shared_->metrics->OnRequestFinished(texts, taken);
    logger_.Info("classified", {{"texts", texts},
                                {"failed_texts", failed_texts_},
                                {"seconds", taken},
                                {"stream", stream}});
  } else {
    shared_->metrics->OnRequestFailed(status.code());
    logger_.Warning("not classified", {{"code", absl::StatusCodeToString(status.code())},
                                       {"reason", ToStd(status.message())},
                                       {"texts", texts},
                                       {"stream", stream}});
  }
  shared_->metrics->OnCallEnded();
}

}  // namespace windowkv
