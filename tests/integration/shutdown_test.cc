#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/running_servers.h"
#include "tests/integration/stream_crowd.h"

namespace windowkv::testing {
namespace {

// Streams that are far from their end when a server is told to stop.
constexpr int kStreams = 8;
constexpr int kManyTokens = 7000;

class ShutdownTest : public ::testing::Test {
 protected:
  // The backend and the router before it, with `drain_timeout` each.
  void Start(const std::string& drain_timeout) {
    std::vector<std::string> flags = ModelFlags("demo_llama");
    flags.insert(flags.end(), {"--drain-timeout", drain_timeout, "--threads", "1"});
    auto backend = StartServer("windowkv-generation", flags);
    ASSERT_TRUE(backend.ok()) << backend.status();
    backend_ = *std::move(backend);
    auto router = StartServer("windowkv-router", {"--classifier", "", "--generation", backend_.grpc,
                                                  "--drain-timeout", drain_timeout});
    ASSERT_TRUE(router.ok()) << router.status();
    router_ = *std::move(router);
    ASSERT_TRUE(WaitUntilServing(router_.grpc).ok());
  }

  static int ExitCode(const RunningServer& server) {
    const auto code = server.process->Wait(kPatience);
    EXPECT_TRUE(code.ok()) << code.status();
    return code.value_or(-1);
  }

  static void ExpectStreamsEndUnavailable(StreamCrowd* crowd) {
    for (const StreamOutcome& outcome : crowd->Join()) {
      EXPECT_TRUE(IsTypedUnavailable(outcome.status))
          << outcome.status.error_code() << ": " << outcome.status.error_message();
    }
  }

  RunningServer backend_;
  RunningServer router_;
};

TEST_F(ShutdownTest, ARoutersStreamsEndWellWithinTheDrainTimeout) {
  Start("1m");
  StreamCrowd crowd(router_.grpc, kStreams, WindRequest(100));
  crowd.WaitForText(kStreams);
  router_.process->Signal(SIGTERM);
  EXPECT_TRUE(WaitUntilServing(router_.grpc, false).ok());
  for (const StreamOutcome& outcome : crowd.Join()) {
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.finished.usage().completion_tokens(), 100);
  }
  EXPECT_EQ(ExitCode(router_), 0) << router_.process->Errors();
}

TEST_F(ShutdownTest, ARoutersStreamsEndUnavailableAfterTheDrainTimeout) {
  Start("0s");
  StreamCrowd crowd(router_.grpc, kStreams, WindRequest(kManyTokens));
  crowd.WaitForText(kStreams);
  router_.process->Signal(SIGTERM);
  ExpectStreamsEndUnavailable(&crowd);
  EXPECT_EQ(ExitCode(router_), 0) << router_.process->Errors();
  EXPECT_TRUE(WaitUntilIdle(backend_.grpc).ok());
}

TEST_F(ShutdownTest, ABackendsStreamsEndUnavailableAfterTheDrainTimeout) {
  Start("0s");
  StreamCrowd crowd(backend_.grpc, kStreams, WindRequest(kManyTokens));
  StreamCrowd routed(router_.grpc, kStreams, WindRequest(kManyTokens));
  crowd.WaitForText(kStreams);
  routed.WaitForText(kStreams);
  backend_.process->Signal(SIGTERM);
  ExpectStreamsEndUnavailable(&crowd);
  ExpectStreamsEndUnavailable(&routed);
  EXPECT_EQ(ExitCode(backend_), 0) << backend_.process->Errors();
}

TEST_F(ShutdownTest, ASecondSignalEndsARouterAtOnce) {
  Start("1h");
  StreamCrowd crowd(router_.grpc, kStreams, WindRequest(kManyTokens));
  crowd.WaitForText(kStreams);
  router_.process->Signal(SIGTERM);
  EXPECT_TRUE(WaitUntilServing(router_.grpc, false).ok());
  router_.process->Signal(SIGTERM);
  EXPECT_EQ(ExitCode(router_), 128 + SIGTERM);
}

TEST_F(ShutdownTest, ASecondSignalEndsABackendAtOnce) {
  Start("1h");
  StreamCrowd crowd(backend_.grpc, kStreams, WindRequest(kManyTokens));
  crowd.WaitForText(kStreams);
  backend_.process->Signal(SIGINT);
  EXPECT_TRUE(WaitUntilServing(backend_.grpc, false).ok());
  backend_.process->Signal(SIGTERM);
  EXPECT_EQ(ExitCode(backend_), 128 + SIGTERM);
}

}  // namespace
}  // namespace windowkv::testing
