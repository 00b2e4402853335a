#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "server/generation/generation_service.h"
#include "server/metrics/metrics_registry.h"
#include "server/metrics/prometheus_engine_metrics.h"
#include "server/rpc/server_process.h"
#include "tests/testing/fake_engine.h"

namespace windowkv {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// A generation server as main makes it, around a fake engine.
class DrainTest : public ::testing::Test {
 protected:
  void StartServer() {
    ServerOptions options;
    options.program = "windowkv-generation";
    options.listen = {"127.0.0.1", 0};
    ServedProgram program;
    program.services = {{v1::GenerationService::service_full_name(), &service_}};
    program.is_healthy = [this] { return engine_.heartbeat_age() < absl::Seconds(30); };
    program.health_interval = absl::Milliseconds(1);
    program.drain = [this](absl::Duration timeout) { engine_.Drain(timeout); };
    auto process = ServerProcess::Start(options, std::move(program), Logger::Silent());
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    channel_ =
        grpc::CreateChannel(process_->address().ToString(), grpc::InsecureChannelCredentials());
    stub_ = v1::GenerationService::NewStub(channel_);
  }

  static v1::GenerateRequest TextRequest() {
    v1::GenerateRequest request;
    request.set_text("a prompt");
    return request;
  }

  grpc::StatusCode GenerateCode() {
    grpc::ClientContext context;
    auto reader = stub_->Generate(&context, TextRequest());
    for (v1::GenerateResponse response; reader->Read(&response);) {
    }
    return reader->Finish().error_code();
  }

  testing::FakeEngine engine_;
  MetricsRegistry registry_;
  PrometheusEngineMetrics metrics_{&registry_, "fake", {"full"}};
  GenerationServiceImpl service_{&engine_, &metrics_, Logger::Silent()};
  std::unique_ptr<ServerProcess> process_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::GenerationService::Stub> stub_;
};

TEST_F(DrainTest, AcceptedRequestsEndWellWhileNewOnesAreRefused) {
  auto stream = std::make_shared<TokenStream>();
  engine_.on_submit = [stream](const GenerationRequest&) { return stream; };
  engine_.on_drain = [this, stream](absl::Duration) {
    EXPECT_EQ(GenerateCode(), grpc::StatusCode::UNAVAILABLE);
    stream->Push(ChunkEvent{"the end", {1}, {}});
    stream->Push(FinishedEvent{});
  };
  StartServer();
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, TextRequest());
  v1::GenerateResponse response;
  stream->Push(AcceptedEvent{});
  ASSERT_TRUE(reader->Read(&response));
  std::thread stopper([this] { process_->Shutdown(); });
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.chunk().text(), "the end");
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.has_finished());
  EXPECT_TRUE(reader->Finish().ok());
  stopper.join();
}

TEST_F(DrainTest, WhatDoesNotEndInTimeEndsUnavailable) {
  auto stream = std::make_shared<TokenStream>();
  engine_.on_submit = [stream](const GenerationRequest&) { return stream; };
  engine_.on_drain = [stream](absl::Duration) {
    stream->Push(absl::UnavailableError("the server is shutting down"));
  };
  StartServer();
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, TextRequest());
  v1::GenerateResponse response;
  stream->Push(AcceptedEvent{});
  ASSERT_TRUE(reader->Read(&response));
  process_->Shutdown();
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(DrainTest, HealthFollowsTheEnginesHeartbeat) {
  StartServer();
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service(v1::GenerationService::service_full_name());
  auto stub = Health::NewStub(channel_);
  auto watch = stub->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  engine_.SetHeartbeatAge(absl::Minutes(1));
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  engine_.SetHeartbeatAge(absl::Seconds(20));  // a long prefill slice
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  process_->Shutdown();
}

}  // namespace
}  // namespace windowkv
