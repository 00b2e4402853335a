#ifndef WINDOWKV_TESTS_CLASSIFIER_SERVICE_RUNNING_SERVER_H_
#define WINDOWKV_TESTS_CLASSIFIER_SERVICE_RUNNING_SERVER_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "classifier_service/classifier_rpc.h"
#include "server/metrics/metrics_registry.h"
#include "server/rpc/server_process.h"
#include "server/rpc/slow_readers.h"
#include "server/rpc/status_mapping.h"

namespace windowkv {

// A classifier server on a free port, and a client of it.
class RunningServer {
 public:
  explicit RunningServer(const TaskClassifier* classifier, ClassificationQueue::Limits limits = {},
                         absl::Duration slow_reader_timeout = absl::InfiniteDuration())
      : metrics_(&registry_, "test-model"),
        queue_(classifier, limits),
        slow_readers_(slow_reader_timeout, [this] { metrics_.OnSlowReader(); }),
        rpc_(&queue_, &metrics_, &slow_readers_, Logger::Silent(), "test-model") {
    ServerOptions options;
    options.program = "windowkv-classifier";
    options.max_message_bytes = 4 << 20;
    options.listen = {"127.0.0.1", 0};
    ServedProgram program;
    program.services = {{v1::ClassifierService::service_full_name(), &rpc_}};
    program.drain = [this](absl::Duration timeout) { rpc_.Drain(timeout); };
    auto process = ServerProcess::Start(options, std::move(program), Logger::Silent());
    EXPECT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    stub_ = v1::ClassifierService::NewStub(
        grpc::CreateChannel(process_->address().ToString(), grpc::InsecureChannelCredentials()));
  }

  absl::StatusOr<v1::ClassifyResponse> Classify(const v1::ClassifyRequest& request) {
    grpc::ClientContext context;
    return Classify(context, request);
  }

  absl::StatusOr<v1::ClassifyResponse> Classify(grpc::ClientContext& context,
                                                const v1::ClassifyRequest& request) {
    v1::ClassifyResponse response;
    const absl::Status status = FromGrpcStatus(stub_->Classify(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  v1::ClassifierService::Stub& stub() { return *stub_; }
  ServerProcess& process() { return *process_; }
  std::string metrics_text() const { return registry_.Text(); }

 private:
  MetricsRegistry registry_;
  ClassifierMetrics metrics_;
  ClassificationQueue queue_;
  SlowReaders slow_readers_;
  ClassifierRpc rpc_;
  std::unique_ptr<ServerProcess> process_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_CLASSIFIER_SERVICE_RUNNING_SERVER_H_
