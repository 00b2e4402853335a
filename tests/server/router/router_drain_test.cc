#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

#include "engine/base/status.h"
#include "server/rpc/status_mapping.h"
#include "tests/server/router/router_fixture.h"

namespace windowkv {
namespace {

class RouterDrainTest : public RouterFixture {
 protected:
  // A stream of which the client has read the first message. Its backend ends it well, or holds it,
  // as `finish_` says.
  void StartStream() {
    StartRouter({.classifier = false});
    auto& service = backend(0).service;
    service.on_generate = [this, &service](const auto& request, auto* context, auto* writer) {
      if (request.request_id() != "running") return grpc::Status::OK;
      writer->Write(testing::AcceptedMessage(request));
      if (finish_.get_future().get()) return grpc::Status::OK;
      return service.HoldUntilCancelled(context);
    };
    v1::GenerateRequest request = TextRequest();
    request.set_request_id("running");
    reader_ = stub_->Generate(&context_, request);
    v1::GenerateResponse message;
    ASSERT_TRUE(reader_->Read(&message));
  }

  static void ExpectShuttingDown(const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
    EXPECT_EQ(status.error_message(), "the router is shutting down");
    EXPECT_TRUE(RetryDelayOf(FromGrpcStatus(status)).has_value());
  }

  std::promise<bool> finish_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> reader_;
};

TEST_F(RouterDrainTest, RunningStreamsEndWellWhileNewOnesAreRefused) {
  ASSERT_NO_FATAL_FAILURE(StartStream());
  std::thread drain([this] { open_relays_.Drain(absl::Hours(1)); });
  grpc::Status status;
  while (status.ok()) status = Generate(TextRequest()).status;
  ExpectShuttingDown(status);
  finish_.set_value(true);
  EXPECT_TRUE(reader_->Finish().ok());
  drain.join();
}

TEST_F(RouterDrainTest, StreamsThatDoNotEndInTimeEndUnavailable) {
  ASSERT_NO_FATAL_FAILURE(StartStream());
  finish_.set_value(false);
  open_relays_.Drain(absl::ZeroDuration());
  ExpectShuttingDown(reader_->Finish());
  backend(0).service.WaitForCancellation();
}

TEST_F(RouterDrainTest, ARequestThatWaitsForItsTaskEndsUnavailableToo) {
  StartRouter({});
  testing::FakeGenerationService holder;
  std::promise<void> asked;
  classifier_.on_classify = [&](const auto&, grpc::ServerContext* context, auto*) {
    asked.set_value();
    return holder.HoldUntilCancelled(context);
  };
  auto reader = stub_->Generate(&context_, TextRequest());
  asked.get_future().wait();
  open_relays_.Drain(absl::ZeroDuration());
  holder.WaitForCancellation();
  ExpectShuttingDown(reader->Finish());
  EXPECT_EQ(RequestsAt(0), 0u);
}

TEST_F(RouterDrainTest, ADrainedRouterAcceptsNothing) {
  StartRouter({});
  open_relays_.Drain(absl::ZeroDuration());
  ExpectShuttingDown(Generate(TextRequest()).status);
  grpc::ClientContext context;
  v1::Load load;
  ASSERT_TRUE(stub_->GetLoad(&context, {}, &load).ok());
  EXPECT_FALSE(load.accepting());
}

}  // namespace
}  // namespace windowkv
