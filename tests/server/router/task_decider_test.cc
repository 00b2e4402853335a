#include "server/router/task_decider.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/router/router_fixture.h"

namespace windowkv {
namespace {

TEST(NeedsTaskTest, OnlyWhenTheStrategyIsLeftToIt) {
  v1::CacheOptions cache;
  EXPECT_TRUE(NeedsTask(cache)) << "a backend's default policy may be WINDOWKV";
  cache.set_policy(v1::CACHE_POLICY_WINDOWKV);
  EXPECT_TRUE(NeedsTask(cache));
  cache.set_strategy(v1::STRATEGY_AUTO);
  EXPECT_TRUE(NeedsTask(cache));
  cache.set_strategy(v1::STRATEGY_MEAN);
  EXPECT_FALSE(NeedsTask(cache));
  cache.clear_strategy();
  cache.set_policy(v1::CACHE_POLICY_FULL);
  EXPECT_FALSE(NeedsTask(cache));
}

v1::GenerateRequest ChatRequest(const std::vector<std::pair<std::string, std::string>>& messages) {
  v1::GenerateRequest request;
  for (const auto& [role, content] : messages) {
    v1::ChatMessage* message = request.mutable_chat()->add_messages();
    message->set_role(role);
    message->set_content(content);
  }
  return request;
}

TEST(TextToClassifyTest, IsAPlainTextAsItIs) {
  v1::GenerateRequest request;
  EXPECT_EQ(TextToClassify(request), "");
  request.set_text("plain");
  EXPECT_EQ(TextToClassify(request), "plain");
}

TEST(TextToClassifyTest, IsWhatTheUserSaysInAChatAndNothingElse) {
  EXPECT_EQ(TextToClassify(ChatRequest({{"system", "You summarize documents."},
                                        {"user", "a document"},
                                        {"assistant", "Thanks. What about it?"},
                                        {"user", ""},
                                        {"user", "who?"}})),
            "a document\n\nwho?");
}

TEST(TextToClassifyTest, IsWhatTheOthersSayWhereTheUserSaysNothing) {
  EXPECT_EQ(
      TextToClassify(ChatRequest({{"system", "Count the words."}, {"assistant", "Of what?"}})),
      "Count the words.\n\nOf what?");
  EXPECT_EQ(TextToClassify(ChatRequest({{"system", "Count the words."}, {"user", ""}})),
            "Count the words.");
}

TEST(TextToClassifyTest, IsEmptyForTokenIds) {
  v1::GenerateRequest request;
  request.mutable_token_ids()->add_ids(1);
  EXPECT_EQ(TextToClassify(request), "");
}

class TaskDeciderTest : public RouterFixture {
 protected:
  v1::TaskVerdict ForwardedVerdict() {
    const auto requests = backend(0).service.requests();
    return requests.empty() ? v1::TaskVerdict() : requests.back().task_verdict();
  }
};

TEST_F(TaskDeciderTest, TheClassifiersVerdictGoesWithTheRequest) {
  StartRouter({});
  const Answer answer = Generate(TextRequest());
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_LOCALIZATION);
  EXPECT_FLOAT_EQ(ForwardedVerdict().confidence(), 0.75F);
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "");
  ASSERT_EQ(classifier_.requests().size(), 1u);
  EXPECT_EQ(classifier_.requests()[0].texts(0), "a document and a question");
  EXPECT_TRUE(MetricsHave("windowkv_router_classified_total{task=\"localization\"} 1"));
}

TEST_F(TaskDeciderTest, TheClassifierReadsWhatTheUserSaysInAChat) {
  StartRouter({});
  ASSERT_TRUE(Generate(ChatRequest({{"system", "be brief"}, {"user", "who?"}})).status.ok());
  ASSERT_EQ(classifier_.requests().size(), 1u);
  EXPECT_EQ(classifier_.requests()[0].texts(0), "who?");
}

TEST_F(TaskDeciderTest, TheClientsTaskSkipsTheClassifier) {
  StartRouter({});
  v1::GenerateRequest request = TextRequest();
  request.set_task(v1::TASK_AGGREGATION);
  ASSERT_TRUE(Generate(request).status.ok());
  EXPECT_TRUE(classifier_.requests().empty());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_AGGREGATION);
  EXPECT_FLOAT_EQ(ForwardedVerdict().confidence(), 1);
}

TEST_F(TaskDeciderTest, AnUnspecifiedTaskIsNone) {
  StartRouter({});
  v1::GenerateRequest request = TextRequest();
  request.set_task(v1::TASK_UNSPECIFIED);
  ASSERT_TRUE(Generate(request).status.ok());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_LOCALIZATION);
  EXPECT_EQ(classifier_.requests().size(), 1u);
}

TEST_F(TaskDeciderTest, AnUnknownTaskIsLeftToTheBackend) {
  StartRouter({});
  v1::GenerateRequest request = TextRequest();
  request.set_task(static_cast<v1::Task>(77));
  ASSERT_TRUE(Generate(request).status.ok());
  EXPECT_FALSE(backend(0).service.requests().at(0).has_task_verdict());
  EXPECT_EQ(backend(0).service.requests().at(0).task(), 77);
}

TEST_F(TaskDeciderTest, AFullCacheNeedsNoTask) {
  StartRouter({});
  v1::GenerateRequest request = TextRequest();
  request.mutable_cache()->set_policy(v1::CACHE_POLICY_FULL);
  ASSERT_TRUE(Generate(request).status.ok());
  EXPECT_TRUE(classifier_.requests().empty());
  EXPECT_FALSE(backend(0).service.requests().at(0).has_task_verdict());
}

TEST_F(TaskDeciderTest, AnUnsureClassifierMeansTheDefaultTaskWithItsVerdictInTheReason) {
  StartRouter({.min_task_confidence = 0.8});
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_AGGREGATION);
  EXPECT_FLOAT_EQ(ForwardedVerdict().confidence(), 0.75F);
  EXPECT_EQ(ForwardedVerdict().fallback_reason(),
            "low confidence: localization at 0.75, below 0.80");
  EXPECT_TRUE(
      MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"low_confidence\"} 1"));
  EXPECT_TRUE(MetricsHave("windowkv_router_classified_total{task=\"localization\"} 0"));
  EXPECT_TRUE(MetricsHave("windowkv_router_classify_seconds_count 1"));
}

TEST_F(TaskDeciderTest, TheReasonHasTheDigitsThatShowTheDifference) {
  StartRouter({.min_task_confidence = 0.7501});
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().fallback_reason(),
            "low confidence: localization at 0.750000, below 0.750100");
}

TEST_F(TaskDeciderTest, AVerdictAsSureAsItMustBeIsFollowed) {
  StartRouter({.min_task_confidence = 0.75});
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_LOCALIZATION);
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "");
}

TEST_F(TaskDeciderTest, AConfidenceThatIsNoProbabilityMeansTheDefaultTask) {
  StartRouter({});
  std::atomic<float> confidence = 0;
  classifier_.on_classify = [&](const auto&, auto*, v1::ClassifyResponse* response) {
    response->add_classifications()->set_task(v1::TASK_LOCALIZATION);
    response->mutable_classifications(0)->set_confidence(confidence);
    return grpc::Status::OK;
  };
  for (const float wrong : {-0.1F, 1.1F, std::numeric_limits<float>::quiet_NaN()}) {
    confidence = wrong;
    ASSERT_TRUE(Generate(TextRequest()).status.ok());
    EXPECT_EQ(ForwardedVerdict().fallback_reason(), "classifier gave no task");
    EXPECT_EQ(ForwardedVerdict().confidence(), 0);
  }
}

TEST_F(TaskDeciderTest, ATextThatComesAgainIsNotClassifiedAgain) {
  StartRouter({});
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(classifier_.requests().size(), 1u);
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_LOCALIZATION);
  EXPECT_FLOAT_EQ(ForwardedVerdict().confidence(), 0.75F);
  v1::GenerateRequest other = TextRequest();
  other.mutable_text()->push_back('!');
  ASSERT_TRUE(Generate(other).status.ok());
  EXPECT_EQ(classifier_.requests().size(), 2u);
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_hits_total 1"));
  EXPECT_TRUE(MetricsHave("windowkv_router_task_cache_entries 2"));
  EXPECT_TRUE(MetricsHave("windowkv_router_classified_total{task=\"localization\"} 3"));
  EXPECT_TRUE(MetricsHave("windowkv_router_classify_seconds_count 2"));
}

TEST_F(TaskDeciderTest, WhatAClassifierWasUnsureOfIsNotAskedAgainAndStaysUnsure) {
  StartRouter({.min_task_confidence = 0.8});
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(classifier_.requests().size(), 1u);
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_AGGREGATION);
  EXPECT_EQ(ForwardedVerdict().fallback_reason(),
            "low confidence: localization at 0.75, below 0.80");
  EXPECT_TRUE(
      MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"low_confidence\"} 2"));
}

TEST_F(TaskDeciderTest, AFailureIsNotKept) {
  StartRouter({});
  std::atomic<bool> burns = true;
  classifier_.on_classify = [&burns, answer = classifier_.on_classify](
                                const auto& request, auto* context, auto* response) {
    if (burns) return grpc::Status(grpc::StatusCode::INTERNAL, "model on fire");
    return answer(request, context, response);
  };
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  burns = false;
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "");
  EXPECT_EQ(classifier_.requests().size(), 2u);
}

TEST_F(TaskDeciderTest, WithoutACacheEveryTextIsClassified) {
  StartRouter({.task_cache_entries = 0});
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(classifier_.requests().size(), 2u);
}

TEST_F(TaskDeciderTest, ASlowClassifierMeansTheDefaultTaskWithTheReason) {
  StartRouter({.classifier_timeout = absl::Milliseconds(50)});
  testing::FakeGenerationService holder;
  classifier_.on_classify = [&](const auto&, grpc::ServerContext* context, auto*) {
    return holder.HoldUntilCancelled(context);
  };
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_AGGREGATION);
  EXPECT_EQ(ForwardedVerdict().confidence(), 0);
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "classifier did not answer within 50ms");
  EXPECT_TRUE(
      MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"deadline_exceeded\"} 1"));
  holder.WaitForCancellation();
}

TEST_F(TaskDeciderTest, AClientsOwnDeadlineIsNoFaultOfTheClassifier) {
  StartRouter({});
  testing::FakeGenerationService holder;
  classifier_.on_classify = [&](const auto&, grpc::ServerContext* context, auto*) {
    return holder.HoldUntilCancelled(context);
  };
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  auto reader = stub_->Generate(&context, TextRequest());
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  holder.WaitForCancellation();
  server_.reset();  // waits for the relay's end
  EXPECT_FALSE(
      MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"deadline_exceeded\"} 1"));
}

TEST_F(TaskDeciderTest, AFailingClassifierMeansTheDefaultTaskWithTheReason) {
  StartRouter({});
  classifier_.on_classify = [](const auto&, auto*, auto*) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "model on fire");
  };
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_AGGREGATION);
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "classifier failed: model on fire");
  EXPECT_TRUE(MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"error\"} 1"));
}

TEST_F(TaskDeciderTest, AClassifierThatIsDownMeansTheDefaultTask) {
  StartRouter({});
  classifier_server_.reset();
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_AGGREGATION);
  EXPECT_TRUE(MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"unavailable\"} 1"));
}

TEST_F(TaskDeciderTest, AnEmptyAnswerMeansTheDefaultTask) {
  StartRouter({});
  classifier_.on_classify = [](const auto&, auto*, auto*) { return grpc::Status::OK; };
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "classifier gave no task");
}

TEST_F(TaskDeciderTest, NoClassifierMeansTheDefaultTask) {
  StartRouter({.classifier = false});
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().task(), v1::TASK_AGGREGATION);
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "no classifier is configured");
}

TEST_F(TaskDeciderTest, TokenIdsCannotBeClassified) {
  StartRouter({});
  v1::GenerateRequest request;
  request.mutable_token_ids()->add_ids(5);
  ASSERT_TRUE(Generate(request).status.ok());
  EXPECT_EQ(ForwardedVerdict().fallback_reason(), "token ids cannot be classified");
  EXPECT_TRUE(
      MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"not_classifiable\"} 1"));
}

TEST_F(TaskDeciderTest, AReasonIsNoLongerThanABackendTakes) {
  StartRouter({});
  classifier_.on_classify = [](const auto&, auto*, auto*) {
    return grpc::Status(grpc::StatusCode::INTERNAL, std::string(3000, 'x'));
  };
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_EQ(ForwardedVerdict().fallback_reason().size(), 512u);
}

// What a decider with these classifiers finds for a client that stays.
std::optional<v1::TaskVerdict> DecideWith(std::vector<std::string> classifiers,
                                          RouterMetrics* metrics,
                                          const v1::GenerateRequest& request) {
  TaskDecider decider({.classifiers = std::move(classifiers),
                       .default_task = v1::TASK_AGGREGATION,
                       .timeout = absl::Seconds(20)},
                      metrics);
  std::promise<std::optional<v1::TaskVerdict>> verdict;
  decider.Decide(request,
                 {[] { return std::make_shared<grpc::ClientContext>(); }, [] { return false; }},
                 [&](std::optional<v1::TaskVerdict> v) { verdict.set_value(std::move(v)); });
  return verdict.get_future().get();
}

TEST_F(TaskDeciderTest, AnotherClassifierAnswersWhenOneIsDown) {
  testing::FakeClassifierService gone;
  const std::string gone_target = testing::FakeServer(&gone).target();
  const auto decided =
      DecideWith({gone_target, classifier_server_->target()}, &metrics_, TextRequest());
  ASSERT_TRUE(decided.has_value());
  EXPECT_EQ(decided->task(), v1::TASK_LOCALIZATION);
}

TEST_F(TaskDeciderTest, AnotherClassifierAnswersWhenOneIsFullOrShuttingDown) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::CANCELLED}) {
    testing::FakeClassifierService busy;
    busy.on_classify = [code](const auto&, auto*, auto*) { return grpc::Status(code, ""); };
    const testing::FakeServer server(&busy);
    const auto decided =
        DecideWith({server.target(), classifier_server_->target()}, &metrics_, TextRequest());
    ASSERT_TRUE(decided.has_value());
    EXPECT_EQ(decided->task(), v1::TASK_LOCALIZATION) << code;
    EXPECT_EQ(busy.requests().size(), 1u);
  }
}

TEST_F(TaskDeciderTest, AClassifierThatShutsDownIsCounted) {
  StartRouter({});
  classifier_.on_classify = [](const auto&, auto*, auto*) { return grpc::Status::CANCELLED; };
  ASSERT_TRUE(Generate(TextRequest()).status.ok());
  EXPECT_TRUE(MetricsHave("windowkv_router_classifier_fallbacks_total{reason=\"unavailable\"} 1"));
}

}  // namespace
}  // namespace windowkv
