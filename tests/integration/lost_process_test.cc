#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "tests/integration/running_servers.h"
#include "tests/integration/stream_crowd.h"
#include "windowkv/v1/router.grpc.pb.h"

namespace windowkv::testing {
namespace {

constexpr int kStreams = 100;

// Two backends that run few requests at once, so that most of a crowd waits in their queues.
class LostProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto classifier = StartServer("windowkv-classifier", ModelFlags("task_classifier"));
    ASSERT_TRUE(classifier.ok()) << classifier.status();
    classifier_ = *std::move(classifier);
    for (RunningServer& backend : backends_) ASSERT_NO_FATAL_FAILURE(StartBackend({}, &backend));
    ASSERT_NO_FATAL_FAILURE(StartRouter({}));
  }

  static void StartBackend(const ServerPlace& place, RunningServer* backend) {
    std::vector<std::string> flags = ModelFlags("demo_llama");
    flags.insert(flags.end(), {"--max-running", "8", "--threads", "1"});
    auto started = StartServer("windowkv-generation", flags, place);
    ASSERT_TRUE(started.ok()) << started.status();
    *backend = *std::move(started);
  }
  void StartRouter(const ServerPlace& place) {
    auto router =
        StartServer("windowkv-router",
                    {"--classifier", classifier_.grpc, "--load-interval", "50ms", "--generation",
                     absl::StrCat(backends_[0].grpc, ",", backends_[1].grpc),
                     // Each request depends on the classifier.
                     "--task-cache-entries", "0", "--min-task-confidence", "0"},
                    place);
    ASSERT_TRUE(router.ok()) << router.status();
    router_ = *std::move(router);
    ASSERT_TRUE(WaitUntilServing(router_.grpc).ok());
  }

  static void Kill(RunningServer* server) {
    server->process->Signal(SIGKILL);
    ASSERT_TRUE(server->process->Wait(kPatience).ok());
  }

  // Asks the router until it finds so many of its backends healthy.
  void WaitForHealthyBackends(int count) const {
    auto stub = v1::RouterService::NewStub(
        grpc::CreateChannel(router_.grpc, grpc::InsecureChannelCredentials()));
    int healthy = -1;
    while (healthy != count) {
      grpc::ClientContext context;
      v1::ListBackendsResponse response;
      ASSERT_TRUE(stub->ListBackends(&context, {}, &response).ok());
      healthy = 0;
      for (const v1::Backend& backend : response.backends()) healthy += backend.healthy() ? 1 : 0;
    }
  }

  void ExpectAllOk(const std::vector<StreamOutcome>& outcomes) const {
    for (const StreamOutcome& outcome : outcomes) {
      EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
      EXPECT_EQ(outcome.text, outcomes[0].text);
    }
  }

  RunningServer classifier_;
  RunningServer backends_[2];
  RunningServer router_;
};

TEST_F(LostProcessTest, ALostBackendsStreamsAreRetriedOrEndUnavailableAndItsReturnIsNoticed) {
  StreamCrowd alone(router_.grpc, 1, WindRequest(100));
  const std::string text = alone.Join()[0].text;
  ASSERT_FALSE(text.empty());

  StreamCrowd crowd(router_.grpc, kStreams, WindRequest(100));
  crowd.WaitForText(12);  // more than one backend runs
  ASSERT_NO_FATAL_FAILURE(Kill(&backends_[0]));
  int answered = 0;
  int unavailable = 0;
  for (const StreamOutcome& outcome : crowd.Join()) {
    if (outcome.status.ok()) {
      EXPECT_EQ(outcome.text, text);
      ++answered;
    } else {
      EXPECT_TRUE(IsTypedUnavailable(outcome.status)) << outcome.status.error_message();
      // Whatever came before the end is the beginning of the answer.
      EXPECT_EQ(outcome.text, text.substr(0, outcome.text.size()));
      EXPECT_TRUE(outcome.accepted);  // else it could have been retried
      ++unavailable;
    }
  }
  EXPECT_GE(unavailable, 1);
  EXPECT_LE(unavailable, 8);  // no more than the backend ran
  EXPECT_EQ(answered + unavailable, kStreams);
  EXPECT_TRUE(WaitUntilServing(router_.grpc).ok());

  ASSERT_NO_FATAL_FAILURE(StartBackend({.listen = backends_[0].grpc}, &backends_[0]));
  ASSERT_NO_FATAL_FAILURE(WaitForHealthyBackends(2));
  StreamCrowd later(router_.grpc, kStreams, WindRequest(20));
  ExpectAllOk(later.Join());
  EXPECT_TRUE(WaitUntilIdle(router_.grpc).ok());
}

TEST_F(LostProcessTest, WithoutBackendsTheRouterSaysSoUntilOneIsBack) {
  StreamCrowd crowd(router_.grpc, kStreams, WindRequest(100));
  crowd.WaitForText(12);
  for (RunningServer& backend : backends_) ASSERT_NO_FATAL_FAILURE(Kill(&backend));
  for (const StreamOutcome& outcome : crowd.Join()) {
    EXPECT_TRUE(outcome.status.ok() || IsTypedUnavailable(outcome.status))
        << outcome.status.error_message();
  }
  EXPECT_TRUE(WaitUntilServing(router_.grpc, false).ok());
  StreamCrowd refused(router_.grpc, 1, WindRequest(1));
  EXPECT_TRUE(IsTypedUnavailable(refused.Join()[0].status));

  ASSERT_NO_FATAL_FAILURE(StartBackend({.listen = backends_[1].grpc}, &backends_[1]));
  EXPECT_TRUE(WaitUntilServing(router_.grpc).ok());
  StreamCrowd later(router_.grpc, kStreams, WindRequest(2));
  ExpectAllOk(later.Join());
}

TEST_F(LostProcessTest, ALostClassifierCostsTheTaskOnly) {
  v1::GenerateRequest request = WindRequest(20);
  request.mutable_cache()->set_policy(v1::CACHE_POLICY_WINDOWKV);
  StreamCrowd crowd(router_.grpc, kStreams, request);
  crowd.WaitForText(1);
  ASSERT_NO_FATAL_FAILURE(Kill(&classifier_));
  ExpectAllOk(crowd.Join());

  StreamCrowd later(router_.grpc, 1, request);
  const StreamOutcome& outcome = later.Join()[0];
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.task.task(), v1::TASK_LOCALIZATION);
  EXPECT_NE(outcome.task.fallback_reason(), "");
  EXPECT_TRUE(WaitUntilServing(router_.grpc).ok());

  auto back = StartServer("windowkv-classifier", ModelFlags("task_classifier"),
                          {.listen = classifier_.grpc});
  ASSERT_TRUE(back.ok()) << back.status();
  std::string reason = "none yet";
  while (!reason.empty()) {
    StreamCrowd asking(router_.grpc, 1, request);
    ASSERT_TRUE(asking.Join()[0].status.ok());
    reason = asking.Join()[0].task.fallback_reason();
  }
}

TEST_F(LostProcessTest, ALostRoutersStreamsEndAtOnceAndFreeTheirBlocks) {
  StreamCrowd crowd(router_.grpc, kStreams, WindRequest(4000));
  crowd.WaitForText(12);
  ASSERT_NO_FATAL_FAILURE(Kill(&router_));
  for (const StreamOutcome& outcome : crowd.Join()) {
    EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE)
        << outcome.status.error_message();
  }
  for (const RunningServer& backend : backends_) EXPECT_TRUE(WaitUntilIdle(backend.grpc).ok());

  ASSERT_NO_FATAL_FAILURE(StartRouter({.listen = router_.grpc}));
  StreamCrowd later(router_.grpc, kStreams, WindRequest(2));
  ExpectAllOk(later.Join());
}

}  // namespace
}  // namespace windowkv::testing
