#ifndef WINDOWKV_TESTS_TESTING_FAKE_GENERATION_SERVER_H_
#define WINDOWKV_TESTS_TESTING_FAKE_GENERATION_SERVER_H_

#include <grpcpp/server.h>
#include <windowkv/v1/classifier.grpc.pb.h>
#include <windowkv/v1/generation.grpc.pb.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace windowkv::testing {

using GenerateWriter = grpc::ServerWriter<v1::GenerateResponse>;

// A GenerationService whose answers the test writes. By default it streams one short answer.
// Handlers run on gRPC's threads and are set before the server starts; the rest is thread-safe.
class FakeGenerationService final : public v1::GenerationService::Service {
 public:
  using GenerateHandler = std::function<grpc::Status(const v1::GenerateRequest&,
                                                     grpc::ServerContext*, GenerateWriter*)>;
  using TokenizeHandler =
      std::function<v1::TokenizeResponse(const v1::TokenizeRequest&, grpc::ServerContext*)>;

  FakeGenerationService();

  GenerateHandler on_generate;
  // Answers with `tokens` by default.
  TokenizeHandler on_tokenize;
  // Answers of the unary calls; OK with `model_info` and so on unless `unary_status` says
  // otherwise.
  v1::TokenizeResponse tokens;
  v1::ModelInfo model_info;

  void SetLoad(const v1::Load& load);
  void SetUnaryStatus(const grpc::Status& status);

  std::vector<v1::GenerateRequest> requests() const;
  // Blocks until a Generate call has been seen to be cancelled.
  void WaitForCancellation();
  // For handlers: blocks until the call is cancelled, tells WaitForCancellation and returns
  // CANCELLED.
  grpc::Status HoldUntilCancelled(grpc::ServerContext* context);

  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        GenerateWriter* writer) override;
  grpc::Status Tokenize(grpc::ServerContext* context, const v1::TokenizeRequest* request,
                        v1::TokenizeResponse* response) override;
  grpc::Status GetModelInfo(grpc::ServerContext* context, const v1::GetModelInfoRequest* request,
                            v1::ModelInfo* response) override;
  grpc::Status GetLoad(grpc::ServerContext* context, const v1::GetLoadRequest* request,
                       v1::Load* response) override;

 private:
  grpc::Status UnaryStatus() const;

  mutable std::mutex mu_;
  std::condition_variable cancelled_changed_;
  std::vector<v1::GenerateRequest> requests_;  // guarded by mu_
  v1::Load load_;                              // guarded by mu_
  grpc::Status unary_status_;                  // guarded by mu_
  bool cancelled_ = false;                     // guarded by mu_
};

using ClassifierStream =
    grpc::ServerReaderWriter<v1::ClassifyStreamResponse, v1::ClassifyStreamRequest>;

// A ClassifierService whose answers the test writes; LOCALIZATION with confidence 0.75 by default,
// and in a stream INVALID_ARGUMENT for an empty text. Handlers run on gRPC's threads.
class FakeClassifierService final : public v1::ClassifierService::Service {
 public:
  using ClassifyHandler = std::function<grpc::Status(const v1::ClassifyRequest&,
                                                     grpc::ServerContext*, v1::ClassifyResponse*)>;

  using StreamHandler = std::function<grpc::Status(grpc::ServerContext*, ClassifierStream*)>;

  FakeClassifierService();

  ClassifyHandler on_classify;
  StreamHandler on_classify_stream;
  std::vector<v1::ClassifyRequest> requests() const;

  grpc::Status Classify(grpc::ServerContext* context, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override;
  grpc::Status ClassifyStream(grpc::ServerContext* context, ClassifierStream* stream) override;

 private:
  mutable std::mutex mu_;
  std::vector<v1::ClassifyRequest> requests_;  // guarded by mu_
};

// One gRPC server on loopback. Stops with the object; calls in flight are cancelled.
class FakeServer {
 public:
  // `service` is not owned and outlives the server. Port 0 takes a free one.
  explicit FakeServer(grpc::Service* service, int port = 0);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  int port() const { return port_; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// What FakeClassifierService answers to the text of `index`.
v1::ClassifyStreamResponse StreamAnswer(int64_t index, const std::string& text);

// Messages of a well-formed stream.
v1::GenerateResponse AcceptedMessage(const v1::GenerateRequest& request);
v1::GenerateResponse ProgressMessage(int layers_done, int layers_total);
v1::GenerateResponse ChunkMessage(const std::string& text, int token_id);
v1::GenerateResponse FinishedMessage();

// A status with google.rpc details: `field` in a BadRequest, `retry_seconds` in a RetryInfo when
// above 0.
grpc::Status DetailedStatus(grpc::StatusCode code, const std::string& message,
                            const std::string& field, int retry_seconds);

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_FAKE_GENERATION_SERVER_H_
