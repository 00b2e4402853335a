#ifndef WINDOWKV_TESTS_SERVER_GENERATION_LIVE_GENERATION_SERVER_H_
#define WINDOWKV_TESTS_SERVER_GENERATION_LIVE_GENERATION_SERVER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/base/status.h"
#include "engine/runtime/engine.h"
#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "server/generation/generation_service.h"
#include "server/rpc/status_mapping.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/last_state_metrics.h"

namespace windowkv::testing {

// What came of one Generate call.
struct Reply {
  absl::Status status;
  std::optional<v1::Accepted> accepted;
  std::optional<v1::Finished> finished;
};

// The demo model's engine behind a generation service on loopback.
class LiveGenerationServer {
 public:
  // Null, and a failed test, when the model cannot be loaded.
  static std::unique_ptr<LiveGenerationServer> Start(const CacheDefaults& defaults = {},
                                                     const CacheLimits& limits = {}) {
    EngineConfig config;
    config.model_dir = SourceDir() + "/deploy/models/demo_llama";
    config.dtype = ComputeDtype::kFloat32;
    config.kv_pool_bytes = int64_t{16} << 20;
    config.num_threads = 1;
    config.cache_defaults = defaults;
    config.cache_limits = limits;
    auto metrics = std::make_unique<LastStateMetrics>();
    auto engine = CreateEngine(config, metrics.get());
    if (!engine.ok()) {
      ADD_FAILURE() << engine.status();
      return nullptr;
    }
    return std::unique_ptr<LiveGenerationServer>(
        new LiveGenerationServer(std::move(metrics), *std::move(engine)));
  }
  ~LiveGenerationServer() { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  Reply Generate(const v1::GenerateRequest& request) {
    grpc::ClientContext context;
    const auto reader = stub_->Generate(&context, request);
    Reply reply;
    for (v1::GenerateResponse response; reader->Read(&response);) {
      if (response.has_accepted()) reply.accepted = response.accepted();
      if (response.has_finished()) reply.finished = response.finished();
    }
    reply.status = FromGrpcStatus(reader->Finish());
    return reply;
  }

  v1::TokenizeResponse Tokenize(const v1::TokenizeRequest& request) {
    grpc::ClientContext context;
    v1::TokenizeResponse response;
    EXPECT_TRUE(stub_->Tokenize(&context, request, &response).ok());
    return response;
  }

  v1::ModelInfo GetModelInfo() {
    grpc::ClientContext context;
    v1::ModelInfo info;
    EXPECT_TRUE(stub_->GetModelInfo(&context, {}, &info).ok());
    return info;
  }

 private:
  LiveGenerationServer(std::unique_ptr<LastStateMetrics> metrics, std::unique_ptr<Engine> engine)
      : metrics_(std::move(metrics)), engine_(std::move(engine)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::GenerationService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                                               grpc::InsecureChannelCredentials()));
  }

  std::unique_ptr<LastStateMetrics> metrics_;
  std::unique_ptr<Engine> engine_;
  GenerationServiceImpl service_{engine_.get(), metrics_.get(), Logger::Silent()};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::GenerationService::Stub> stub_;
};

// Tests that share one server with the default limits.
class LiveServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = LiveGenerationServer::Start();
    ASSERT_NE(server_, nullptr);
  }
  static void TearDownTestSuite() { server_.reset(); }

  static inline std::unique_ptr<LiveGenerationServer> server_;
};

// A greedy request for one token after a prompt of `tokens` tokens.
inline v1::GenerateRequest TokensRequest(int32_t tokens,
                                         v1::CachePolicy policy = v1::CACHE_POLICY_UNSPECIFIED) {
  v1::GenerateRequest request;
  for (int32_t i = 0; i < tokens; ++i) request.mutable_token_ids()->add_ids(300 + i % 1000);
  request.mutable_sampling()->set_temperature(0);
  request.mutable_sampling()->set_max_tokens(1);
  request.mutable_cache()->set_policy(policy);
  return request;
}

// The policy as messages write it: "SNAPKV".
inline std::string NameOf(v1::CachePolicy policy) {
  return v1::CachePolicy_Name(policy).substr(std::string("CACHE_POLICY_").size());
}

// A request that is refused before its first message.
struct Refusal {
  std::string name;
  v1::GenerateRequest request;
  std::string field;
  std::string message;
};

inline void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.request.cache().ShortDebugString();
}

inline void ExpectRefused(LiveGenerationServer* server, const Refusal& refusal) {
  const Reply reply = server->Generate(refusal.request);
  EXPECT_EQ(reply.status.code(), absl::StatusCode::kInvalidArgument) << reply.status;
  EXPECT_EQ(FieldOf(reply.status), refusal.field);
  EXPECT_THAT(std::string(reply.status.message()), ::testing::HasSubstr(refusal.message));
  EXPECT_FALSE(reply.accepted.has_value());
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_SERVER_GENERATION_LIVE_GENERATION_SERVER_H_
