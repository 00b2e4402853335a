#include "classifier_service/classify_stream.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/status.h"
#include "google/rpc/error_details.pb.h"
#include "server/rpc/status_mapping.h"
#include "tests/classifier_service/gated_classifier.h"
#include "tests/classifier_service/running_server.h"

namespace windowkv {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::Le;
using testing::SizeIs;

// A client's end of one stream.
class TestStream {
 public:
  explicit TestStream(RunningServer& server) : stream_(server.stub().ClassifyStream(&context_)) {}

  bool Send(const std::string& text, const std::string& request_id = "") {
    v1::ClassifyStreamRequest request;
    request.set_text(text);
    request.set_request_id(request_id);
    return stream_->Write(request);
  }
  void HalfClose() { EXPECT_TRUE(stream_->WritesDone()); }
  // The next answer; an empty one at the end.
  v1::ClassifyStreamResponse Receive() {
    v1::ClassifyStreamResponse response;
    if (!stream_->Read(&response)) response.Clear();
    return response;
  }
  absl::Status Finish() {
    v1::ClassifyStreamResponse rest;
    while (stream_->Read(&rest)) {
    }
    return FromGrpcStatus(stream_->Finish());
  }
  grpc::ClientContext& context() { return context_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>>
      stream_;
};

absl::StatusCode CodeOf(const v1::ClassifyStreamResponse& answer) {
  return static_cast<absl::StatusCode>(answer.error().code());
}

TEST(ClassifyStream, AnswersWhileMoreIsSent) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  TestStream stream(server);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(stream.Send(i % 3 == 0 ? "sum it up" : "find it"));
    const v1::ClassifyStreamResponse answer = stream.Receive();
    EXPECT_EQ(answer.index(), i);
    EXPECT_EQ(answer.model(), "test-model");
    EXPECT_EQ(answer.classification().task(),
              i % 3 == 0 ? v1::TASK_AGGREGATION : v1::TASK_LOCALIZATION);
  }
  stream.HalfClose();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ClassifyStream, AnswersAllInOrderAfterTheHalfClose) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  TestStream stream(server);
  auto sender = std::async(std::launch::async, [&] {
    for (int i = 0; i < 300; ++i) stream.Send("find " + std::string(i, 'x'));
    stream.HalfClose();
  });
  for (int i = 0; i < 300; ++i) {
    const v1::ClassifyStreamResponse answer = stream.Receive();
    ASSERT_EQ(answer.index(), i);
    ASSERT_EQ(answer.classification().tokens_read(), 5 + i);
  }
  sender.get();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ClassifyStream, AnEmptyStreamEndsWell) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  TestStream stream(server);
  stream.HalfClose();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ClassifyStream, ABadTextGetsItsErrorAndTheOthersGoOn) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  TestStream stream(server);
  for (const char* text : {"find", "", "fail", "sum"}) ASSERT_TRUE(stream.Send(text, "bulk"));
  stream.HalfClose();
  EXPECT_EQ(stream.Receive().classification().task(), v1::TASK_LOCALIZATION);
  const v1::ClassifyStreamResponse empty = stream.Receive();
  EXPECT_EQ(CodeOf(empty), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(empty.error().message(), "text is empty, must have at least one character");
  google::rpc::BadRequest details;
  ASSERT_GT(empty.error().details_size(), 0);
  ASSERT_TRUE(empty.error().details(0).UnpackTo(&details));
  EXPECT_EQ(details.field_violations(0).field(), "text");
  EXPECT_EQ(CodeOf(stream.Receive()), absl::StatusCode::kInternal);
  EXPECT_EQ(stream.Receive().classification().task(), v1::TASK_AGGREGATION);
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_THAT(server.metrics_text(),
              HasSubstr(R"(windowkv_classifier_stream_texts_total{model="test-model"} 4)"));
  EXPECT_THAT(server.metrics_text(),
              HasSubstr(R"(windowkv_classifier_stream_text_failures_total{model="test-model"} 2)"));
}

TEST(ClassifyStream, ABadRequestIdEndsTheCall) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  TestStream stream(server);
  stream.Send("find", std::string(129, 'r'));
  const absl::Status status = stream.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(FieldOf(status), "request_id");
}

TEST(ClassifyStream, ReadsOnlySoManyTextsAhead) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier);
  TestStream stream(server);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(stream.Send("f"));
  stream.HalfClose();
  classifier.WaitForCalls(1);
  classifier.Open();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(stream.Receive().index(), i);
  EXPECT_TRUE(stream.Finish().ok());
  // All short texts that had been read fit into one batch.
  EXPECT_THAT(classifier.calls(), Each(SizeIs(Le(kStreamTexts))));
}

TEST(ClassifyStream, ALongStreamDoesNotKeepOthersWaiting) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier);
  TestStream stream(server);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stream.Send(std::string(600, 'x')));
  stream.HalfClose();
  classifier.WaitForCalls(1);
  TestStream other(server);
  ASSERT_TRUE(other.Send("sum"));
  other.HalfClose();
  classifier.Open();
  EXPECT_EQ(other.Receive().classification().task(), v1::TASK_AGGREGATION);
  EXPECT_TRUE(other.Finish().ok());
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ClassifyStream, CancellingEndsTheCallOnTheServer) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier, {.streams = 1});
  TestStream stream(server);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(stream.Send("find" + std::string(600, 'x')));
  classifier.WaitForCalls(1);
  stream.context().TryCancel();
  EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kCancelled);
  classifier.Open();
  const std::string none_runs = R"(windowkv_classifier_requests_running{model="test-model"} 0)";
  while (server.metrics_text().find(none_runs) == std::string::npos) std::this_thread::yield();
  EXPECT_THAT(classifier.calls(), SizeIs(Le(10)));
}

TEST(ClassifyStream, ADeadlineEndsIt) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  auto call = server.stub().ClassifyStream(&context);
  v1::ClassifyStreamRequest request;
  request.set_text("find");
  call->Write(request);
  v1::ClassifyStreamResponse answer;
  EXPECT_FALSE(call->Read(&answer));
  EXPECT_EQ(FromGrpcStatus(call->Finish()).code(), absl::StatusCode::kDeadlineExceeded);
  classifier.Open();
}

TEST(ClassifyStream, DrainAnswersWhatWasReadAndEndsWithUnavailable) {
  GatedClassifier classifier;
  RunningServer server(&classifier);
  TestStream idle(server);
  ASSERT_TRUE(idle.Send("find"));
  EXPECT_EQ(idle.Receive().index(), 0);
  classifier.Close();
  TestStream busy(server);
  ASSERT_TRUE(busy.Send("sum"));
  classifier.WaitForCalls(2);
  auto shutdown = std::async(std::launch::async, [&] { server.process().Shutdown(); });
  EXPECT_EQ(idle.Finish().code(), absl::StatusCode::kUnavailable);
  classifier.Open();
  EXPECT_EQ(busy.Receive().classification().task(), v1::TASK_AGGREGATION);
  EXPECT_EQ(busy.Finish().code(), absl::StatusCode::kUnavailable);
  shutdown.get();
}

TEST(ClassifyStream, MoreStreamsAtWorkThanAllowedAreResourceExhausted) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier, {.streams = 1});
  TestStream first(server);
  ASSERT_TRUE(first.Send("find"));
  classifier.WaitForCalls(1);
  TestStream second(server);
  ASSERT_TRUE(second.Send("find"));
  const absl::Status status = second.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(RetryDelayOf(status).has_value());
  classifier.Open();
  first.HalfClose();
  EXPECT_TRUE(first.Finish().ok());
}

TEST(ClassifyStream, AClientThatDoesNotReadIsCutOff) {
  const GatedClassifier classifier;
  RunningServer server(&classifier, {}, /*slow_reader_timeout=*/absl::Milliseconds(20));
  TestStream stream(server);
  // Until the answers fill what gRPC and the sockets hold, and the server reads no further.
  while (stream.Send("find")) {
  }
  EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(server.metrics_text(),
              HasSubstr(R"(windowkv_classifier_slow_readers_total{model="test-model"} 1)"));
}

TEST(ClassifyStream, AnIdleStreamKeepsNobodyOut) {
  const GatedClassifier classifier;
  RunningServer server(&classifier, {.streams = 1});
  TestStream silent(server);
  TestStream answered(server);
  ASSERT_TRUE(answered.Send("find"));
  EXPECT_EQ(answered.Receive().index(), 0);
  // The server hears a moment after the client that the answer is written.
  bool taken = false;
  while (!taken) {
    TestStream late(server);
    late.Send("find");
    taken = late.Receive().has_classification();
  }
}

}  // namespace
}  // namespace windowkv
