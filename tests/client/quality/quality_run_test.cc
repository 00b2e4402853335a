#include "client/quality/quality_run.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "client/quality/token_rates.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

class QualityRunTest : public ::testing::Test {
 protected:
  QualityRunTest() {
    plan_.documents = 3;
    plan_.concurrency = 2;
    plan_.policies = {v1::CACHE_POLICY_WINDOWKV, v1::CACHE_POLICY_SNAPKV};
    plan_.budgets = {64, 128};
    for (int i = 0; i < plan_.documents; ++i) {
      const Document document = generator_.Make(i);
      answers_[document.UserTurn()] = document.answer;
    }
    service_.on_generate = [this](const auto& request, auto*, auto* writer) {
      return Answer(request, writer);
    };
  }

  // Right with a blank line behind it, except under SNAPKV.
  grpc::Status Answer(const v1::GenerateRequest& request, testing::GenerateWriter* writer) {
    const bool wrong = request.cache().policy() == v1::CACHE_POLICY_SNAPKV;
    const std::string& answer = answers_.at(request.chat().messages(0).content());
    writer->Write(testing::AcceptedMessage(request));
    writer->Write(testing::ChunkMessage(wrong ? "No idea" : answer, 1));
    writer->Write(testing::ChunkMessage("\n\n", 2));
    v1::GenerateResponse finished = testing::FinishedMessage();
    finished.mutable_finished()->mutable_receipt()->set_policy(request.cache().policy());
    writer->Write(finished);
    return grpc::Status::OK;
  }

  QualityResult Run() {
    return RunQuality(*client_, generator_, plan_, {.cancellation = &cancellation_},
                      [this](int done) { last_done_ = done; });
  }

  DocumentGenerator generator_ =
      *DocumentGenerator::Create({.seed = 1,
                                  .tokens = 200,
                                  .families = {Family::kVault, Family::kJob},
                                  .rates = {.small_talk = 0.25, .facts = 0.25, .examples = 0.25}});
  std::map<std::string, std::string> answers_;  // constant while the server runs
  testing::FakeGenerationService service_;
  testing::FakeServer server_{&service_};
  std::unique_ptr<Client> client_ = *Client::Create({.target = server_.target()});
  Cancellation cancellation_;
  QualityPlan plan_;
  int last_done_ = 0;
};

TEST_F(QualityRunTest, AsksEachDocumentUnderEachSettingAndOnceInFull) {
  const QualityResult result = Run();
  EXPECT_EQ(service_.requests().size(), 15u);
  EXPECT_EQ(last_done_, 15);
  EXPECT_EQ(result.Settings().size(), 5u);
  EXPECT_EQ(result.Settings()[0], CacheSetting());
  for (const CacheSetting& setting : result.Settings()) {
    const QualityTally tally = result.Over(setting);
    EXPECT_EQ(tally.answered(), 3);
    EXPECT_EQ(tally.exact(), setting.policy == v1::CACHE_POLICY_SNAPKV ? 0 : 3);
    EXPECT_DOUBLE_EQ(tally.KeptShare(), 0.25);
    EXPECT_EQ(tally.MeanPrefill(), absl::Milliseconds(250));
    EXPECT_EQ(tally.MeanDecodeStep(), absl::Milliseconds(100));
  }
  const QualityTally vaults =
      result.tallies.at({{v1::CACHE_POLICY_WINDOWKV, v1::TASK_UNSPECIFIED, 64}, Family::kVault});
  EXPECT_EQ(vaults.answered(), 2);
  EXPECT_FALSE(result.interrupted);
  EXPECT_FALSE(result.first_error);
}

TEST_F(QualityRunTest, AnAnswerIsRightToTheLetterOrNotAtAll) {
  plan_.policies = {v1::CACHE_POLICY_WINDOWKV};
  plan_.budgets = {64};
  plan_.concurrency = 1;
  const auto exact_with = [this](const std::function<std::string(const std::string&)>& changed) {
    service_.on_generate = [&](const v1::GenerateRequest& request, auto*, auto* writer) {
      const std::string& answer = answers_.at(request.chat().messages(0).content());
      writer->Write(testing::ChunkMessage(changed(answer), 1));
      v1::GenerateResponse finished = testing::FinishedMessage();
      finished.mutable_finished()->mutable_receipt()->set_policy(request.cache().policy());
      writer->Write(finished);
      return grpc::Status::OK;
    };
    return Run().Total().exact();
  };
  EXPECT_EQ(exact_with([](const std::string& answer) { return "\n " + answer + " \n"; }), 6);
  EXPECT_EQ(exact_with([](const std::string& answer) { return "It is " + answer; }), 0);
  EXPECT_EQ(exact_with([](const std::string& answer) { return answer + "."; }), 0);
  EXPECT_EQ(exact_with([](const std::string& answer) { return answer.substr(1); }), 0);
  EXPECT_EQ(exact_with([](const std::string&) { return ""; }), 0);
}

TEST_F(QualityRunTest, FullHasNoBudgetAndOnlyWindowkvItsOptions) {
  plan_.windowkv.set_window_size(4);
  Run();
  for (const v1::GenerateRequest& request : service_.requests()) {
    const v1::CacheOptions& cache = request.cache();
    EXPECT_EQ(cache.has_budget_tokens(), cache.policy() != v1::CACHE_POLICY_FULL);
    EXPECT_EQ(cache.has_window_size(), cache.policy() == v1::CACHE_POLICY_WINDOWKV);
    EXPECT_FALSE(request.has_task());
  }
}

TEST_F(QualityRunTest, OnlyWindowkvNamesTheTasksThatAreCompared) {
  plan_.tasks = {v1::TASK_LOCALIZATION, v1::TASK_AGGREGATION};
  const QualityResult result = Run();
  EXPECT_EQ(result.Settings().size(), 7u);
  std::map<v1::Task, int> asked;
  for (const v1::GenerateRequest& request : service_.requests()) {
    EXPECT_EQ(request.has_task(), request.cache().policy() == v1::CACHE_POLICY_WINDOWKV);
    ++asked[request.task()];
  }
  // Of each document: two budgets under each task; without one, SNAPKV's two and the full cache.
  EXPECT_EQ(asked[v1::TASK_LOCALIZATION], 6);
  EXPECT_EQ(asked[v1::TASK_AGGREGATION], 6);
  EXPECT_EQ(asked[v1::TASK_UNSPECIFIED], 9);
}

TEST_F(QualityRunTest, AFailedRequestIsCountedAndTheRestGoOn) {
  service_.on_generate = [this](const auto& request, auto*, auto* writer) {
    if (request.cache().budget_tokens() == 64) {
      return testing::DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "too small",
                                     "cache.budget_tokens", 0);
    }
    return Answer(request, writer);
  };
  const QualityResult result = Run();
  EXPECT_EQ(result.Total().answered(), 9);
  EXPECT_EQ(result.Total().failed(), 6);
  EXPECT_EQ(result.Total().errors().at("INVALID_ARGUMENT"), 6);
  ASSERT_TRUE(result.first_error);
  EXPECT_EQ(result.first_error->message(), "too small");
  EXPECT_EQ(result.unreachable, 0);
}

TEST_F(QualityRunTest, AnAnswerUnderAnotherPolicyIsAnError) {
  service_.on_generate = [](const auto&, auto*, auto* writer) {
    writer->Write(testing::FinishedMessage());  // of WINDOWKV
    return grpc::Status::OK;
  };
  const QualityResult result = Run();
  EXPECT_EQ(result.Total().answered(), 6);
  EXPECT_EQ(result.Total().errors().at("FAILED_PRECONDITION"), 9);
}

TEST_F(QualityRunTest, AnInterruptedRunKeepsWhatIsThere) {
  plan_.concurrency = 1;
  int asked = 0;
  service_.on_generate = [&](const auto& request, grpc::ServerContext* context, auto* writer) {
    if (++asked < 3) return Answer(request, writer);
    cancellation_.Cancel();
    return service_.HoldUntilCancelled(context);
  };
  const QualityResult result = Run();
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.Total().answered(), 2);
  EXPECT_EQ(result.Total().failed(), 0);
}

TEST_F(QualityRunTest, MeasuresTokenRatesThroughTheServer) {
  for (int i = 0; i < 5000; ++i) service_.tokens.add_token_ids(i);
  const auto rates = MeasureTokenRates(*client_, {});
  ASSERT_TRUE(rates.ok()) << rates.status();
  // The fake server finds as many tokens in each sample; facts are the shorter one.
  EXPECT_GT(rates->small_talk, 0.1);
  EXPECT_LT(rates->small_talk, rates->facts);
  EXPECT_GT(rates->small_talk, rates->examples);
  EXPECT_NEAR(rates->around_turn, 0, 0.001);
}

TEST_F(QualityRunTest, MeasuresWhatTheChatTemplateAddsToATurn) {
  service_.on_tokenize = [](const v1::TokenizeRequest& request, grpc::ServerContext*) {
    const std::string& text =
        request.has_chat() ? request.chat().messages(0).content() : request.text();
    v1::TokenizeResponse response;
    const size_t tokens = text.size() / 4 + (request.has_chat() ? 9 : 0);
    for (size_t i = 0; i < tokens; ++i) response.add_token_ids(1);
    return response;
  };
  const auto rates = MeasureTokenRates(*client_, {});
  ASSERT_TRUE(rates.ok()) << rates.status();
  EXPECT_NEAR(rates->small_talk, 0.25, 0.001);
  EXPECT_NEAR(rates->around_turn, 9, 0.5);
}

TEST_F(QualityRunTest, ATokenizerWithoutTokensIsAnError) {
  EXPECT_TRUE(absl::IsInternal(MeasureTokenRates(*client_, {}).status()));
  service_.SetUnaryStatus({grpc::StatusCode::PERMISSION_DENIED, "no key"});
  EXPECT_TRUE(absl::IsPermissionDenied(MeasureTokenRates(*client_, {}).status()));
}

}  // namespace
}  // namespace windowkv::client
