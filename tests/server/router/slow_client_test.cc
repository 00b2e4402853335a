#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "engine/base/status.h"
#include "server/rpc/status_mapping.h"
#include "tests/server/router/router_fixture.h"

namespace windowkv {
namespace {

// Less than a client takes as one message.
constexpr size_t kLongTextBytes = 3 << 20;

// A client that reads the first message of a long answer and then no more for a while.
class SlowClientTest : public RouterFixture {
 protected:
  void Start(absl::Duration timeout) {
    StartRouter({.classifier = false, .slow_reader_timeout = timeout});
    auto& service = backend(0).service;
    service.on_generate = [&service](const auto& request, auto* context, auto* writer) {
      writer->Write(testing::AcceptedMessage(request));
      // Until nothing more is taken: gRPC lets the more wait on a connection the slower it answers.
      while (writer->Write(testing::ChunkMessage(std::string(kLongTextBytes, 'x'), 1))) {
      }
      return service.HoldUntilCancelled(context);
    };
    reader_ = stub_->Generate(&context_, TextRequest());
    ASSERT_TRUE(reader_->Read(&message_));
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> reader_;
  v1::GenerateResponse message_;
};

TEST_F(SlowClientTest, ItsBackendIsCancelledAndItHearsWhyWhenItReadsOn) {
  Start(absl::Seconds(1));
  backend(0).service.WaitForCancellation();
  while (reader_->Read(&message_)) {
  }
  const grpc::Status status = reader_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_FALSE(status.error_details().empty());
  EXPECT_FALSE(RetryDelayOf(FromGrpcStatus(status)).has_value());
  EXPECT_TRUE(MetricsHave("windowkv_router_slow_readers_total 1"));
}

TEST_F(SlowClientTest, ItsCallEndsEvenWhenItNeverReadsOn) {
  Start(absl::Milliseconds(20));
  while (!MetricsHave("windowkv_router_requests_total{code=\"RESOURCE_EXHAUSTED\"} 1")) {
    std::this_thread::yield();
  }
  while (reader_->Read(&message_)) {
  }
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace windowkv
