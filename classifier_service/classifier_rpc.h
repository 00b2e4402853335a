#ifndef WINDOWKV_CLASSIFIER_SERVICE_CLASSIFIER_RPC_H_
#define WINDOWKV_CLASSIFIER_SERVICE_CLASSIFIER_RPC_H_

#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "classifier_service/call_record.h"
#include "classifier_service/classification_queue.h"
#include "classifier_service/classify_stream.h"
#include "engine/base/thread_annotations.h"
#include "server/metrics/classifier_metrics.h"
#include "server/rpc/logging.h"
#include "server/rpc/slow_readers.h"
#include "windowkv/v1/classifier.grpc.pb.h"

namespace windowkv {

inline constexpr int kMaxTextsPerRequest = 256;

// ClassifierService over gRPC: validates, queues, answers. Owned by main; what it is given outlives
// it. Its methods run on gRPC's threads and never block.
class ClassifierRpc final : public v1::ClassifierService::CallbackService {
 public:
  // `model` names the checkpoint in every answer.
  ClassifierRpc(ClassificationQueue* queue, ClassifierMetrics* metrics, SlowReaders* slow_readers,
                Logger logger, std::string model);

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context,
                                     const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override;

  grpc::ServerBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>* ClassifyStream(
      grpc::CallbackServerContext* context) override;

  // Refuses new calls, ends the streams once what they sent is answered, and waits for all accepted
  // texts, at most `timeout`.
  void Drain(absl::Duration timeout);

 private:
  class Call;

  ClassificationQueue* const queue_;
  SlowReaders* const slow_readers_;
  CallRecord::Shared shared_;
  const std::string model_;
  std::mutex mu_;
  bool draining_ WINDOWKV_GUARDED_BY(mu_) = false;
  std::set<windowkv::ClassifyStream*> streams_ WINDOWKV_GUARDED_BY(mu_);
};

// INVALID_ARGUMENT naming the field: no text, too many, or an empty one ("texts[3]").
absl::Status ValidateTexts(const v1::ClassifyRequest& request);

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_CLASSIFIER_RPC_H_
