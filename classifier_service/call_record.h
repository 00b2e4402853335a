#ifndef WINDOWKV_CLASSIFIER_SERVICE_CALL_RECORD_H_
#define WINDOWKV_CLASSIFIER_SERVICE_CALL_RECORD_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "classifier_service/task_classifier.h"
#include "engine/base/monotonic_clock.h"
#include "server/metrics/classifier_metrics.h"
#include "server/rpc/logging.h"
#include "server/rpc/trace_context.h"

namespace windowkv {

// What one call leaves in metrics and log. Owned by the call, whose threads use it one at a time.
class CallRecord {
 public:
  // What the calls of a server share; it outlives them.
  struct Shared {
    ClassifierMetrics* metrics;
    Logger logger;
  };
  enum class Kind { kUnary, kStream };

  // The call begins, as part of this trace.
  CallRecord(Shared* shared, Kind kind, const TraceContext& trace);

  void SetRequestId(std::string_view request_id);
  void OnDecision(const TaskDecision& decision);
  // A text of a stream got an error for an answer.
  void OnTextFailed() { ++failed_texts_; }
  // The call ends, after `texts` texts were answered. Called once.
  void OnEnd(const absl::Status& status, int64_t texts);

 private:
  Shared* const shared_;
  const Kind kind_;
  Logger logger_;  // with the trace's id, and the request's once it is known
  const absl::Duration began_ = MonotonicNow();
  int64_t failed_texts_ = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_CALL_RECORD_H_
