#include "server/generation/generation_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/status_mapping.h"
#include "tests/server/generation/generation_service_fixture.h"
#include "tests/testing/fake_engine.h"

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using ::windowkv::testing::Call;
using ::windowkv::testing::GenerationServiceTest;
using ::windowkv::testing::RequestIdOf;

TEST_F(GenerationServiceTest, StreamsTheEventsInOrderAndEndsWell) {
  Call call(stub_.get(), TextRequest());
  const auto responses = call.ReadAll();
  EXPECT_TRUE(call.Finish().ok());
  ASSERT_GE(responses.size(), 3u);
  EXPECT_EQ(responses.front().accepted().request_id(), "r1");
  EXPECT_EQ(responses.back().finished().receipt().bytes_kept(), 1000);
  std::string text;
  for (const auto& response : responses) text += response.chunk().text();
  EXPECT_EQ(text, "Hello, world");
  ASSERT_EQ(engine_.requests().size(), 1u);
  EXPECT_EQ(std::get<PromptText>(engine_.requests()[0].prompt), "a prompt");
}

TEST_F(GenerationServiceTest, EachEventIsWrittenAsItComes) {
  auto stream = AnswerWithOpenStream();
  Call call(stub_.get(), TextRequest());
  v1::GenerateResponse response;
  stream->Push(AcceptedEvent{});
  ASSERT_TRUE(call.Read(&response));
  EXPECT_TRUE(response.has_accepted());
  for (const std::string text : {"one", "two", "three"}) {
    stream->Push(ChunkEvent{text, {1}, {}});
    ASSERT_TRUE(call.Read(&response));
    EXPECT_EQ(response.chunk().text(), text);
  }
  stream->Push(FinishedEvent{});
  ASSERT_TRUE(call.Read(&response));
  EXPECT_TRUE(response.has_finished());
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(GenerationServiceTest, ChoosesARequestIdWhenTheClientGaveNone) {
  v1::GenerateRequest request = TextRequest();
  request.clear_request_id();
  Call call(stub_.get(), request);
  const auto responses = call.ReadAll();
  ASSERT_FALSE(responses.empty());
  EXPECT_THAT(responses[0].accepted().request_id(), ::testing::StartsWith("r-"));
  EXPECT_EQ(engine_.requests()[0].request_id, responses[0].accepted().request_id());
}

TEST_F(GenerationServiceTest, ASlowReaderGetsTheWholeTextInFewerMessages) {
  auto stream = AnswerWithOpenStream();
  Call call(stub_.get(), TextRequest());
  stream->Push(AcceptedEvent{});
  constexpr int kChunks = 400;
  const std::string filler(16 << 10, '.');
  std::string expected;
  for (int i = 0; i < kChunks; ++i) {
    std::string text = std::to_string(i) + filler;
    expected += text;
    stream->Push(ChunkEvent{std::move(text), {i}, {}});
  }
  stream->Push(FinishedEvent{});
  std::string text;
  std::vector<int> ids;
  int messages = 0;
  v1::GenerateResponse response;
  while (call.Read(&response)) {
    ++messages;
    text += response.chunk().text();
    ids.insert(ids.end(), response.chunk().token_ids().begin(), response.chunk().token_ids().end());
  }
  EXPECT_TRUE(call.Finish().ok());
  EXPECT_TRUE(text == expected);
  EXPECT_EQ(ids.size(), static_cast<size_t>(kChunks));
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_LT(messages, kChunks);
}

TEST_F(GenerationServiceTest, ManyStreamsFromManyThreadsStayApart) {
  constexpr int kCalls = 16;
  constexpr int kChunks = 50;
  engine_.on_submit = [](const GenerationRequest& request) {
    auto stream = std::make_shared<TokenStream>();
    std::thread([stream, id = request.request_id] {
      stream->Push(AcceptedEvent{});
      for (int i = 0; i < kChunks; ++i) stream->Push(ChunkEvent{id + ";", {i}, {}});
      stream->Push(FinishedEvent{});
    }).detach();
    return stream;
  };
  std::vector<std::thread> clients;
  clients.reserve(kCalls);
  for (int i = 0; i < kCalls; ++i) {
    clients.emplace_back([this, i] {
      v1::GenerateRequest request = TextRequest();
      const std::string id = "request-" + std::to_string(i);
      request.set_request_id(id);
      Call call(stub_.get(), request);
      std::string expected;
      for (int chunk = 0; chunk < kChunks; ++chunk) expected += id + ";";
      std::string text;
      for (const auto& response : call.ReadAll()) text += response.chunk().text();
      EXPECT_TRUE(call.Finish().ok());
      EXPECT_EQ(text, expected);
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST_F(GenerationServiceTest, ARefusalOnTheStreamComesBeforeAnyMessage) {
  engine_.on_submit = [](const GenerationRequest&) {
    return testing::StreamOf(
        {FieldError(absl::StatusCode::kOutOfRange, "text", "has 9000 tokens, must have 4095")});
  };
  Call call(stub_.get(), TextRequest());
  EXPECT_TRUE(call.ReadAll().empty());
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(FieldOf(FromGrpcStatus(status)), "text");
  EXPECT_EQ(RequestIdOf(status), "r1");
}

TEST_F(GenerationServiceTest, ARefusedSubmitKeepsItsDetails) {
  engine_.on_submit = [](const GenerationRequest&) -> testing::FakeEngine::StreamOrStatus {
    return WithRetryDelay(absl::ResourceExhaustedError("256 requests wait"), absl::Seconds(2));
  };
  Call call(stub_.get(), TextRequest());
  EXPECT_TRUE(call.ReadAll().empty());
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(RetryDelayOf(FromGrpcStatus(status)), absl::Seconds(2));
  EXPECT_EQ(RequestIdOf(status), "r1");
}

TEST_F(GenerationServiceTest, AnErrorMayEndTheStreamAfterMessages) {
  engine_.on_submit = [](const GenerationRequest&) {
    return testing::StreamOf(
        {AcceptedEvent{}, ChunkEvent{"part", {1}, {}}, absl::UnavailableError("draining")});
  };
  Call call(stub_.get(), TextRequest());
  EXPECT_EQ(call.ReadAll().size(), 2u);
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GenerationServiceTest, AClientThatLeavesCancelsItsRequest) {
  auto stream = AnswerWithOpenStream();
  Call call(stub_.get(), TextRequest());
  stream->Push(AcceptedEvent{});
  v1::GenerateResponse response;
  ASSERT_TRUE(call.Read(&response));
  EXPECT_FALSE(stream->cancelled());
  call.Cancel();
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->Shutdown();  // without a deadline: returns when the service let the call go
  EXPECT_TRUE(stream->cancelled());
}

TEST_F(GenerationServiceTest, TheDeadlineReachesTheEngineAndEndsTheCall) {
  auto stream = AnswerWithOpenStream();
  const absl::Time deadline = absl::Now() + absl::Milliseconds(100);
  Call call(stub_.get(), TextRequest(), deadline);
  EXPECT_TRUE(call.ReadAll().empty());
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  server_->Shutdown();
  EXPECT_TRUE(stream->cancelled());
  ASSERT_EQ(engine_.requests().size(), 1u);
  EXPECT_LT(engine_.requests()[0].deadline, deadline + absl::Seconds(5));
}

TEST_F(GenerationServiceTest, EventsAfterTheClientLeftDisturbNobody) {
  auto stream = AnswerWithOpenStream();
  {
    Call call(stub_.get(), TextRequest());
    call.Cancel();
    call.Finish();
  }
  server_->Shutdown();
  stream->Push(AcceptedEvent{});
  stream->Push(FinishedEvent{});
}

TEST_F(GenerationServiceTest, TokenizeGivesIdsAndTheirTexts) {
  grpc::ClientContext context;
  v1::TokenizeRequest request;
  request.set_text("Hi");
  v1::TokenizeResponse response;
  ASSERT_TRUE(stub_->Tokenize(&context, request, &response).ok());
  EXPECT_THAT(response.token_ids(), ElementsAre('H', 'i'));
  EXPECT_THAT(response.tokens(), ElementsAre("H", "i"));
}

TEST_F(GenerationServiceTest, TokenizeRefusesWhatGenerateWould) {
  grpc::ClientContext no_input;
  v1::TokenizeResponse response;
  const auto unset = stub_->Tokenize(&no_input, v1::TokenizeRequest(), &response);
  EXPECT_EQ(unset.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(FromGrpcStatus(unset)), "input");
  grpc::ClientContext chat;
  v1::TokenizeRequest request;
  request.mutable_chat()->add_messages()->set_role("user");
  EXPECT_EQ(stub_->Tokenize(&chat, request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(GenerationServiceTest, SaysTheModelAndTheLoad) {
  grpc::ClientContext info_context;
  v1::ModelInfo info;
  ASSERT_TRUE(stub_->GetModelInfo(&info_context, v1::GetModelInfoRequest(), &info).ok());
  EXPECT_EQ(info.name(), "fake");
  grpc::ClientContext load_context;
  v1::Load load;
  ASSERT_TRUE(stub_->GetLoad(&load_context, v1::GetLoadRequest(), &load).ok());
  EXPECT_EQ(load.free_kv_blocks(), 60);
  EXPECT_TRUE(load.accepting());
}

}  // namespace
}  // namespace windowkv
