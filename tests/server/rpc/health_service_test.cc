#include "server/rpc/health_service.h"

#include <memory>
#include <string>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kService[] = "windowkv.v1.GenerationService";

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() {
    health_.SetServing("", true);
    health_.SetServing(kService, true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
    stub_ = Health::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                                grpc::InsecureChannelCredentials()));
  }

  ~HealthServiceTest() override {
    health_.EndWatches();
    server_->Shutdown();
  }

  grpc::Status Check(const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    return stub_->Check(&context, Request(service), response);
  }

  static HealthCheckRequest Request(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return request;
  }

  HealthService health_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Health::Stub> stub_;
};

// One open Watch.
class Watch {
 public:
  Watch(Health::Stub* stub, const HealthCheckRequest& request)
      : reader_(stub->Watch(&context_, request)) {}

  // The next status; UNKNOWN when the watch ended.
  HealthCheckResponse::ServingStatus Next() {
    HealthCheckResponse response;
    return reader_->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
  }
  grpc::Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

TEST_F(HealthServiceTest, ChecksEachServiceAndTheWholeServer) {
  health_.SetServing(kService, false);
  HealthCheckResponse response;
  ASSERT_TRUE(Check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(Check(kService, &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, CheckOfAnUnknownServiceIsNotFound) {
  HealthCheckResponse response;
  EXPECT_EQ(Check("windowkv.v1.Nothing", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthServiceTest, WatchSaysTheStatusAtOnceAndEveryChange) {
  Watch watch(stub_.get(), Request(kService));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  health_.SetServing(kService, false);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  health_.SetAllServing(true);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
}

TEST_F(HealthServiceTest, WatchSaysNothingWhenNothingChanged) {
  Watch watch(stub_.get(), Request(kService));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  health_.SetServing(kService, true);
  health_.SetServing("", false);
  health_.SetServing(kService, false);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, WatchOfAnUnknownServiceGoesOnUntilItIsKnown) {
  Watch watch(stub_.get(), Request("later"));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  health_.SetServing("later", true);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
}

TEST_F(HealthServiceTest, EndingTellsTheLastStatusFirst) {
  Watch watch(stub_.get(), Request(""));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  health_.SetAllServing(false);
  health_.EndWatches();
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HealthServiceTest, AWatchAfterTheEndSaysTheStatusAndEnds) {
  health_.EndWatches();
  Watch watch(stub_.get(), Request(""));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HealthServiceTest, AClientThatLeavesDisturbsNobody) {
  Watch leaving(stub_.get(), Request(""));
  Watch staying(stub_.get(), Request(""));
  EXPECT_EQ(leaving.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(staying.Next(), HealthCheckResponse::SERVING);
  leaving.Cancel();
  EXPECT_EQ(leaving.Finish().error_code(), grpc::StatusCode::CANCELLED);
  health_.SetServing("", false);
  EXPECT_EQ(staying.Next(), HealthCheckResponse::NOT_SERVING);
}

}  // namespace
}  // namespace windowkv
