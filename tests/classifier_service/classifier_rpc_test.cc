#include "classifier_service/classifier_rpc.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "classifier_service/bert_task_classifier.h"
#include "engine/base/status.h"
#include "tests/classifier_service/gated_classifier.h"
#include "tests/classifier_service/running_server.h"
#include "tests/engine/weights/test_files.h"

namespace windowkv {
namespace {

using testing::HasSubstr;

v1::ClassifyRequest RequestOf(const std::vector<std::string>& texts) {
  v1::ClassifyRequest request;
  for (const std::string& text : texts) request.add_texts(text);
  return request;
}

TEST(ClassifierRpc, AnswersEveryTextInOrder) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  const auto response = server.Classify(RequestOf({"find it", "sum it up", std::string(600, 'x')}));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->model(), "test-model");
  ASSERT_EQ(response->classifications_size(), 3);
  const v1::TaskClassification& second = response->classifications(1);
  EXPECT_EQ(response->classifications(0).task(), v1::TASK_LOCALIZATION);
  EXPECT_EQ(second.task(), v1::TASK_AGGREGATION);
  EXPECT_FLOAT_EQ(second.confidence(), 0.75F);
  ASSERT_EQ(second.probabilities_size(), 2);
  EXPECT_EQ(second.probabilities(0).task(), v1::TASK_LOCALIZATION);
  EXPECT_FLOAT_EQ(second.probabilities(0).probability(), 0.25F);
  EXPECT_EQ(second.tokens_read(), 9);
  EXPECT_FALSE(second.truncated());
  EXPECT_TRUE(response->classifications(2).truncated());
  ASSERT_EQ(second.read_size(), 1);
  EXPECT_EQ(second.read(0).begin(), 0);
  EXPECT_EQ(second.read(0).end(), 9);
  EXPECT_EQ(second.unfamiliar(), 0);
}

TEST(ClassifierRpc, CountsDecisionsAndFailures) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  ASSERT_TRUE(server.Classify(RequestOf({"find", "strange", "sum"})).ok());
  ASSERT_FALSE(server.Classify(RequestOf({})).ok());
  const std::string text = server.metrics_text();
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(windowkv_classifier_decisions_total{model="test-model",task="localization"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(windowkv_classifier_undecided_total{model="test-model"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(code="INVALID_ARGUMENT")"));
  EXPECT_THAT(text, HasSubstr(R"(windowkv_classifier_requests_running{model="test-model"} 0)"));
}

struct BadRequest {
  const char* name;
  v1::ClassifyRequest request;
  std::string field;
  std::string says;
};

class ClassifierRpcBadRequest : public testing::TestWithParam<BadRequest> {};

TEST_P(ClassifierRpcBadRequest, IsInvalidArgumentNamingTheField) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  const absl::Status status = server.Classify(GetParam().request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(FieldOf(status), GetParam().field);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().says));
  EXPECT_TRUE(server.Classify(RequestOf({"find"})).ok());
}

v1::ClassifyRequest WithId(const std::string& request_id) {
  v1::ClassifyRequest request = RequestOf({"find"});
  request.set_request_id(request_id);
  return request;
}

INSTANTIATE_TEST_SUITE_P(
    All, ClassifierRpcBadRequest,
    testing::Values(BadRequest{"NoText", RequestOf({}), "texts",
                               "has 0 entries, must have 1 to 256"},
                    BadRequest{"TooManyTexts", RequestOf(std::vector<std::string>(257, "a")),
                               "texts", "has 257 entries"},
                    BadRequest{"FarTooManyTexts", RequestOf(std::vector<std::string>(100'000, "a")),
                               "texts", "has 100000 entries, must have 1 to 256"},
                    BadRequest{"EmptyText", RequestOf({"a", "b", "c", ""}), "texts[3]",
                               "texts[3] is empty, must have at least one character"},
                    BadRequest{"LongId", WithId(std::string(129, 'r')), "request_id", "128"},
                    BadRequest{"ControlCharacterInId", WithId("a\nb"), "request_id", "request_id"}),
    [](const auto& info) { return info.param.name; });

TEST(ClassifierRpc, TakesAsManyTextsAndAsLongAnIdAsItSays) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  v1::ClassifyRequest request = RequestOf(std::vector<std::string>(256, "a"));
  request.set_request_id(std::string(128, 'r'));
  const auto response = server.Classify(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->classifications_size(), 256);
}

TEST(ClassifierRpc, AMessageOverTheLimitIsRefusedSayingIt) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  const absl::Status status = server.Classify(RequestOf({std::string(5 << 20, 'x')})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("larger than max"));
  EXPECT_TRUE(server.Classify(RequestOf({"find"})).ok());
}

TEST(ClassifierRpc, FullQueueIsResourceExhaustedWithARetryDelay) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier, {.waiting_texts = 1});
  auto first = std::async(std::launch::async, [&] { return server.Classify(RequestOf({"find"})); });
  classifier.WaitForCalls(1);
  const absl::Status status = server.Classify(RequestOf({"sum"})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(RetryDelayOf(status).has_value());
  classifier.Open();
  EXPECT_TRUE(first.get().ok());
}

TEST(ClassifierRpc, AClientThatGoesAwayLeavesTheServerServing) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier);
  grpc::ClientContext context;
  auto first =
      std::async(std::launch::async, [&] { return server.Classify(context, RequestOf({"find"})); });
  classifier.WaitForCalls(1);
  context.TryCancel();
  EXPECT_EQ(first.get().status().code(), absl::StatusCode::kCancelled);
  classifier.Open();
  EXPECT_TRUE(server.Classify(RequestOf({"sum"})).ok());
}

TEST(ClassifierRpc, ClassifierFailureIsInternal) {
  const GatedClassifier classifier;
  RunningServer server(&classifier);
  EXPECT_EQ(server.Classify(RequestOf({"fail"})).status().code(), absl::StatusCode::kInternal);
}

TEST(ClassifierRpc, ShutdownAnswersWhatWasAccepted) {
  GatedClassifier classifier;
  classifier.Close();
  RunningServer server(&classifier);
  auto first = std::async(std::launch::async, [&] { return server.Classify(RequestOf({"find"})); });
  classifier.WaitForCalls(1);
  auto shutdown = std::async(std::launch::async, [&] { server.process().Shutdown(); });
  classifier.Open();
  shutdown.get();
  EXPECT_TRUE(first.get().ok());
}

TEST(ClassifierRpc, ServesTheShippedCheckpoint) {
  const auto classifier =
      LoadBertTaskClassifier({.model_dir = SourceDir() + "/deploy/models/task_classifier"});
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  RunningServer server(classifier->get());
  std::string long_text = "Read the document and answer the question.";
  for (int i = 0; i < 3000; ++i) long_text += " lorem ipsum";
  const auto response = server.Classify(
      RequestOf({"In which year was the lighthouse built? Answer with the year only.",
                 "Write a one-page summary of all the reports above.", "x", " ", long_text}));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->classifications(0).task(), v1::TASK_LOCALIZATION);
  EXPECT_EQ(response->classifications(1).task(), v1::TASK_AGGREGATION);
  EXPECT_EQ(response->classifications(3).tokens_read(), 2);
  EXPECT_EQ(response->classifications(4).tokens_read(), 512);
  EXPECT_TRUE(response->classifications(4).truncated());
}

}  // namespace
}  // namespace windowkv
