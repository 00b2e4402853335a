#ifndef WINDOWKV_CLASSIFIER_SERVICE_CLASSIFIER_RPC_H_
#define WINDOWKV_CLASSIFIER_SERVICE_CLASSIFIER_RPC_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "classifier_service/classification_queue.h"
#include "server/metrics/classifier_metrics.h"
#include "server/rpc/logging.h"
#include "windowkv/v1/classifier.grpc.pb.h"

namespace windowkv {

inline constexpr int kMaxTextsPerRequest = 256;

// ClassifierService over gRPC: validates, queues, answers. Owned by main; what it is given outlives
// it. Its methods run on gRPC's threads and never block.
class ClassifierRpc final : public v1::ClassifierService::CallbackService {
 public:
  // `model` names the checkpoint in every answer.
  ClassifierRpc(ClassificationQueue* queue, ClassifierMetrics* metrics, Logger logger,
                std::string model);

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context,
                                     const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override;

 private:
  class Call;

  ClassificationQueue* const queue_;
  ClassifierMetrics* const metrics_;
  const Logger logger_;
  const std::string model_;
  std::atomic<int> running_ = 0;
};

// INVALID_ARGUMENT naming the field: no text, too many, or an empty one ("texts[3]").
absl::Status ValidateTexts(const v1::ClassifyRequest& request);

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_CLASSIFIER_RPC_H_
