#include "server/router/generate_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

#include "engine/base/status.h"
#include "server/rpc/status_mapping.h"
#include "tests/server/router/router_fixture.h"

namespace windowkv {
namespace {

using testing::DetailedStatus;
using ::testing::HasSubstr;
using ::testing::Not;

class GenerateRelayTest : public RouterFixture {
 protected:
  // A request that is not classified.
  static v1::GenerateRequest PlainRequest() {
    v1::GenerateRequest request = TextRequest();
    request.mutable_cache()->set_policy(v1::CACHE_POLICY_FULL);
    return request;
  }

  void Refuse(size_t index, const grpc::Status& status) {
    backend(index).service.on_generate = [status](const auto&, auto*, auto*) { return status; };
  }

  // Makes backend 0 the first choice.
  void PreferTheFirst() {
    backend(0).SetFreeBlocks(900);
    poller_->PollNow();
  }
};

TEST_F(GenerateRelayTest, HandsEveryMessageOnInOrder) {
  StartRouter({});
  const Answer answer = Generate(PlainRequest());
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.messages.size(), 5u);
  EXPECT_TRUE(answer.messages[0].has_accepted());
  EXPECT_EQ(answer.messages[2].chunk().text() + answer.messages[3].chunk().text(),
            "The answer is 42.");
  EXPECT_TRUE(answer.messages[4].has_finished());
}

TEST_F(GenerateRelayTest, PicksTheBackendWithTheMostFreeBlocks) {
  StartRouter({.backends = 3});
  backend(0).SetFreeBlocks(10);
  backend(1).SetFreeBlocks(500);
  backend(2).SetFreeBlocks(20);
  poller_->PollNow();
  ASSERT_TRUE(Generate(PlainRequest()).status.ok());
  EXPECT_EQ(RequestsAt(1), 1u);
}

TEST_F(GenerateRelayTest, CountsItsOwnStreamsBetweenLoadReports) {
  StartRouter({.backends = 2});
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Generate(PlainRequest()).status.ok());
  EXPECT_EQ(RequestsAt(0), 2u);
  EXPECT_EQ(RequestsAt(1), 2u);
}

TEST_F(GenerateRelayTest, ADrainingBackendGetsNoRequests) {
  StartRouter({.backends = 2});
  v1::Load load;
  load.set_free_kv_blocks(10'000);
  load.set_accepting(false);
  backend(0).service.SetLoad(load);
  poller_->PollNow();
  ASSERT_TRUE(Generate(PlainRequest()).status.ok());
  EXPECT_EQ(RequestsAt(0), 0u);
}

TEST_F(GenerateRelayTest, MakesUpARequestIdAndKeepsAGivenOne) {
  StartRouter({});
  ASSERT_TRUE(Generate(PlainRequest()).status.ok());
  v1::GenerateRequest named = PlainRequest();
  named.set_request_id("mine");
  ASSERT_TRUE(Generate(named).status.ok());
  const auto requests = backend(0).service.requests();
  EXPECT_GE(requests.at(0).request_id().size(), 16u);
  EXPECT_EQ(requests.at(1).request_id(), "mine");
}

TEST_F(GenerateRelayTest, RefusesARequestIdThatIsTooLong) {
  StartRouter({});
  v1::GenerateRequest request = PlainRequest();
  request.set_request_id(std::string(129, 'x'));
  const absl::Status status = FromGrpcStatus(Generate(request).status);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(FieldOf(status), "request_id");
}

TEST_F(GenerateRelayTest, RefusesAVerdictFromTheClient) {
  StartRouter({});
  v1::GenerateRequest request = PlainRequest();
  request.mutable_task_verdict()->set_task(v1::TASK_LOCALIZATION);
  const absl::Status status = FromGrpcStatus(Generate(request).status);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(FieldOf(status), "task_verdict");
  EXPECT_EQ(RequestsAt(0), 0u);
}

TEST_F(GenerateRelayTest, AVerdictFromTheClientStandsInNoLogLine) {
  StartRouter({.logger = *Logger::Create("windowkv-test", "info")});
  v1::GenerateRequest request = PlainRequest();
  request.set_request_id(std::string(129, 'x'));  // refused before the verdict is looked at
  request.mutable_task_verdict()->set_fallback_reason("the client's words");
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(Generate(request).status.ok());
  server_.reset();  // waits for the relay's end
  const std::string lines = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr("request ended"));
  EXPECT_THAT(lines, Not(HasSubstr("the client's words")));
}

TEST_F(GenerateRelayTest, TheLogNamesTheTaskInOneWord) {
  StartRouter({.logger = *Logger::Create("windowkv-test", "info")});
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  server_.reset();  // waits for the relay's end
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr(" task=localization "));
}

TEST_F(GenerateRelayTest, ABackendsErrorPassesWithItsDetailsAndWithoutARetry) {
  StartRouter({.backends = 2});
  PreferTheFirst();
  const grpc::Status given =
      DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "cache.beta is 0", "cache.beta", 0);
  Refuse(0, given);
  const grpc::Status status = Generate(PlainRequest()).status;
  EXPECT_EQ(status.error_code(), given.error_code());
  EXPECT_EQ(status.error_message(), given.error_message());
  EXPECT_EQ(status.error_details(), given.error_details());
  EXPECT_EQ(RequestsAt(1), 0u);
}

TEST_F(GenerateRelayTest, AFullBackendIsReplacedByAnother) {
  StartRouter({.backends = 2});
  PreferTheFirst();
  Refuse(0, DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue is full", "", 1));
  ASSERT_TRUE(Generate(PlainRequest()).status.ok());
  EXPECT_EQ(RequestsAt(0), 1u);
  EXPECT_EQ(RequestsAt(1), 1u);
  EXPECT_TRUE(MetricsHave("windowkv_router_retries_total"));
}

TEST_F(GenerateRelayTest, ABackendThatVanishedIsReplacedByAnotherAndSkippedFromThenOn) {
  StartRouter({.backends = 2});
  PreferTheFirst();
  backend(0).server.reset();
  ASSERT_TRUE(Generate(PlainRequest()).status.ok());
  EXPECT_FALSE(pool_->backends()[0]->healthy());
}

TEST_F(GenerateRelayTest, NothingIsRetriedOnceAMessageWentOut) {
  StartRouter({.backends = 2});
  PreferTheFirst();
  const grpc::Status given = DetailedStatus(grpc::StatusCode::UNAVAILABLE, "shutting down", "", 1);
  backend(0).service.on_generate = [given](const auto& request, auto*, auto* writer) {
    writer->Write(testing::AcceptedMessage(request));
    return given;
  };
  const Answer answer = Generate(PlainRequest());
  EXPECT_EQ(answer.messages.size(), 1u);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(answer.status.error_details(), given.error_details());
  EXPECT_EQ(RequestsAt(1), 0u);
}

TEST_F(GenerateRelayTest, TheLastRefusalPassesWhenEveryBackendIsFull) {
  StartRouter({.backends = 2});
  const grpc::Status full =
      DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue is full", "", 3);
  Refuse(0, full);
  Refuse(1, full);
  const grpc::Status status = Generate(PlainRequest()).status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_details(), full.error_details());
  EXPECT_EQ(RequestsAt(0) + RequestsAt(1), 2u);
}

TEST_F(GenerateRelayTest, NothingCountsAsRetriedWhenThereIsNoOtherBackend) {
  StartRouter({});
  Refuse(0, DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue is full", "", 1));
  EXPECT_EQ(Generate(PlainRequest()).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(RequestsAt(0), 1u);
  EXPECT_FALSE(MetricsHave("windowkv_router_retries_total{"));
}

TEST_F(GenerateRelayTest, PromptsThatWaitAreLimitedInBytes) {
  StartRouter({});
  v1::GenerateRequest large = PlainRequest();
  large.set_text(std::string(kMaxWaitingBytes * 2 / 3, 'x'));
  std::promise<void> asked;
  std::promise<void> may_answer;
  std::atomic<bool> is_first = true;
  backend(0).service.on_generate = [&](const auto& request, auto*, auto* writer) {
    if (is_first.exchange(false)) {
      asked.set_value();
      may_answer.get_future().wait();
    }
    writer->Write(testing::AcceptedMessage(request));
    return grpc::Status::OK;
  };
  grpc::ClientContext context;
  auto waiting = stub_->Generate(&context, large);
  asked.get_future().wait();
  const absl::Status refused = FromGrpcStatus(Generate(large).status);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
  EXPECT_TRUE(Generate(PlainRequest()).status.ok());
  may_answer.set_value();
  v1::GenerateResponse message;
  ASSERT_TRUE(waiting->Read(&message));
  EXPECT_TRUE(Generate(large).status.ok()) << "a prompt that is being read does not wait";
  EXPECT_TRUE(waiting->Finish().ok());
}

TEST_F(GenerateRelayTest, RetriesNoMoreOftenThanConfigured) {
  StartRouter({.backends = 4, .max_retries = 1});
  for (size_t i = 0; i < 4; ++i) {
    Refuse(i, DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue is full", "", 1));
  }
  EXPECT_FALSE(Generate(PlainRequest()).status.ok());
  EXPECT_EQ(RequestsAt(0) + RequestsAt(1) + RequestsAt(2) + RequestsAt(3), 2u);
}

TEST_F(GenerateRelayTest, NoHealthyBackendIsUnavailableWithARetryDelay) {
  StartRouter({});
  backend(0).server.reset();
  poller_->PollNow();
  const absl::Status status = FromGrpcStatus(Generate(PlainRequest()).status);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(RetryDelayOf(status).has_value());
  server_.reset();  // waits for the relay's end, which comes after the client's
  EXPECT_TRUE(MetricsHave("windowkv_router_requests_total{code=\"UNAVAILABLE\"} 1"));
}

TEST_F(GenerateRelayTest, AClientThatLeavesCountsAsCancelledAndNothingIsRetried) {
  StartRouter({.backends = 2});
  PreferTheFirst();
  std::promise<void> asked;
  auto& service = backend(0).service;
  service.on_generate = [&](const auto&, grpc::ServerContext* context, auto*) {
    asked.set_value();
    return service.HoldUntilCancelled(context);
  };
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, PlainRequest());
  asked.get_future().wait();
  context.TryCancel();
  service.WaitForCancellation();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_.reset();  // waits for the relay's end
  EXPECT_TRUE(MetricsHave("windowkv_router_requests_total{code=\"CANCELLED\"} 1"));
  EXPECT_FALSE(MetricsHave("windowkv_router_retries_total{"));
  EXPECT_EQ(RequestsAt(1), 0u);
}

TEST_F(GenerateRelayTest, CancellationDuringAnAnswerReachesTheBackendAndCountsAsCancelled) {
  StartRouter({});
  auto& service = backend(0).service;
  service.on_generate = [&](const auto& request, grpc::ServerContext* context, auto* writer) {
    writer->Write(testing::AcceptedMessage(request));
    return service.HoldUntilCancelled(context);
  };
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, PlainRequest());
  v1::GenerateResponse message;
  ASSERT_TRUE(reader->Read(&message));
  context.TryCancel();
  service.WaitForCancellation();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_.reset();  // waits for the relay's end
  EXPECT_TRUE(MetricsHave("windowkv_router_requests_total{code=\"CANCELLED\"} 1"));
}

TEST_F(GenerateRelayTest, CancellationReachesTheClassifierAndNoBackend) {
  StartRouter({});
  testing::FakeGenerationService holder;
  std::promise<void> asked;
  classifier_.on_classify = [&](const auto&, grpc::ServerContext* context, auto*) {
    asked.set_value();
    return holder.HoldUntilCancelled(context);
  };
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, TextRequest());
  asked.get_future().wait();
  context.TryCancel();
  holder.WaitForCancellation();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_.reset();  // waits for the relay's end
  EXPECT_EQ(RequestsAt(0), 0u);
}

TEST_F(GenerateRelayTest, TheClientsDeadlineReachesTheBackend) {
  StartRouter({});
  const auto deadline = std::chrono::system_clock::now() + std::chrono::hours(2);
  std::chrono::system_clock::time_point seen;
  backend(0).service.on_generate = [&](const auto&, grpc::ServerContext* context, auto*) {
    seen = context->deadline();
    return grpc::Status::OK;
  };
  grpc::ClientContext context;
  context.set_deadline(deadline);
  auto reader = stub_->Generate(&context, PlainRequest());
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_LE(seen, deadline + std::chrono::minutes(1));
}

TEST_F(GenerateRelayTest, AClientThatDoesNotReadHoldsItsBackendBack) {
  constexpr int kMessages = 400;
  StartRouter({});
  std::atomic<int> written{0};
  auto& service = backend(0).service;
  service.on_generate = [&](const auto&, grpc::ServerContext* context, auto* writer) {
    const v1::GenerateResponse big = testing::ChunkMessage(std::string(256 << 10, 'x'), 1);
    while (written < kMessages && writer->Write(big)) ++written;
    return service.HoldUntilCancelled(context);
  };
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, PlainRequest());
  v1::GenerateResponse message;
  ASSERT_TRUE(reader->Read(&message));
  context.TryCancel();
  service.WaitForCancellation();
  EXPECT_LT(written, kMessages);
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GenerateRelayTest, StreamsThatEndedAreNoLongerCountedAsOpen) {
  StartRouter({});
  ASSERT_TRUE(Generate(PlainRequest()).status.ok());
  Refuse(0, DetailedStatus(grpc::StatusCode::INTERNAL, "bug", "", 0));
  EXPECT_FALSE(Generate(PlainRequest()).status.ok());
  EXPECT_EQ(pool_->backends()[0]->open_streams(), 0);
}

}  // namespace
}  // namespace windowkv
