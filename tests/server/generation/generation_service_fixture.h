#ifndef WINDOWKV_TESTS_SERVER_GENERATION_GENERATION_SERVICE_FIXTURE_H_
#define WINDOWKV_TESTS_SERVER_GENERATION_GENERATION_SERVICE_FIXTURE_H_

#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/base/engine_metrics.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/channel_arguments.h"
#include "gtest/gtest.h"
#include "server/generation/generation_service.h"
#include "server/rpc/slow_readers.h"
#include "tests/testing/fake_engine.h"

namespace windowkv::testing {

// Counts refusals.
class CountingMetrics final : public EngineMetrics {
 public:
  void OnRequestFinished(const RequestEnd&) override {}
  void OnRequestFailed(absl::StatusCode code) override {
    std::lock_guard lock(mu_);
    failures_.push_back(code);
  }
  void OnFirstToken(absl::Duration) override {}
  void OnNextToken(absl::Duration) override {}
  void OnStep(int32_t, int64_t, absl::Duration) override {}
  void OnState(const State&) override {}

  std::vector<absl::StatusCode> failures() const {
    std::lock_guard lock(mu_);
    return failures_;
  }

 private:
  mutable std::mutex mu_;
  std::vector<absl::StatusCode> failures_;
};

// One Generate call.
class Call {
 public:
  Call(v1::GenerationService::Stub* stub, const v1::GenerateRequest& request,
       absl::Time deadline = absl::InfiniteFuture()) {
    if (deadline != absl::InfiniteFuture()) context_.set_deadline(absl::ToChronoTime(deadline));
    reader_ = stub->Generate(&context_, request);
  }

  bool Read(v1::GenerateResponse* response) { return reader_->Read(response); }
  std::vector<v1::GenerateResponse> ReadAll() {
    std::vector<v1::GenerateResponse> responses;
    for (v1::GenerateResponse response; Read(&response);) responses.push_back(response);
    return responses;
  }
  grpc::Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> reader_;
};

// A generation service on loopback around a fake engine.
class GenerationServiceTest : public ::testing::Test {
 protected:
  explicit GenerationServiceTest(absl::Duration slow_reader_timeout = absl::InfiniteDuration())
      : slow_readers_(slow_reader_timeout, [this] { found_slow_.set_value(); }) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = v1::GenerationService::NewStub(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments));
  }
  ~GenerationServiceTest() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  static v1::GenerateRequest TextRequest() {
    v1::GenerateRequest request;
    request.set_request_id("r1");
    request.set_text("a prompt");
    return request;
  }

  // The engine answers with a stream that the test pushes to.
  std::shared_ptr<TokenStream> AnswerWithOpenStream() {
    auto stream = std::make_shared<TokenStream>();
    engine_.on_submit = [stream](const GenerationRequest&) { return stream; };
    return stream;
  }

  FakeEngine engine_;
  CountingMetrics metrics_;
  std::promise<void> found_slow_;  // a client was found not to read on
  SlowReaders slow_readers_;
  GenerationServiceImpl service_{&engine_, &metrics_, Logger::Silent(), &slow_readers_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::GenerationService::Stub> stub_;
};

// The request id among the details of an error; empty when there is none.
inline std::string RequestIdOf(const grpc::Status& status) {
  google::rpc::Status proto;
  if (!proto.ParseFromString(status.error_details())) return "";
  for (const auto& detail : proto.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info)) return info.metadata().at("request_id");
  }
  return "";
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_SERVER_GENERATION_GENERATION_SERVICE_FIXTURE_H_
