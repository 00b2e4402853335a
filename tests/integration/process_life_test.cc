#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/running_servers.h"

namespace windowkv::testing {
namespace {

class ProcessLifeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto servers = RunningServers::Start();
    ASSERT_TRUE(servers.ok()) << servers.status();
    servers_ = *std::move(servers);
  }

  // A client that is in the middle of a stream of `max_tokens` tokens.
  void StartStream(const std::string& max_tokens, std::unique_ptr<ChildProcess>* client) {
    auto started = StartClient({"generate", "--target", servers_.router.grpc, "--prompt",
                                "The wind over the library", "--ignore-eos", "--max-tokens",
                                max_tokens, "--json"});
    ASSERT_TRUE(started.ok()) << started.status();
    *client = *std::move(started);
    while (true) {
      const auto line = (*client)->ReadLine(kPatience);
      ASSERT_TRUE(line.ok()) << line.status();
      ASSERT_TRUE(line->has_value()) << (*client)->Errors();
      const auto message = ParseMessage(**line);
      ASSERT_TRUE(message.ok()) << message.status();
      ASSERT_FALSE(message->has_finished());
      if (message->has_chunk()) return;
    }
  }

  static int ExitCode(ChildProcess& process) {
    const auto code = process.Wait(kPatience);
    EXPECT_TRUE(code.ok()) << code.status();
    return code.value_or(-1);
  }

  RunningServers servers_;
};

TEST_F(ProcessLifeTest, TerminatedServersExitWithZero) {
  for (RunningServer* server : {&servers_.router, &servers_.generation, &servers_.classifier}) {
    server->process->Signal(SIGTERM);
    EXPECT_EQ(ExitCode(*server->process), 0) << server->process->Errors();
  }
}

TEST_F(ProcessLifeTest, PrintsNothingButTheReadyLine) {
  servers_.generation.process->Signal(SIGTERM);
  const auto lines = servers_.generation.process->ReadLines(kPatience);
  ASSERT_TRUE(lines.ok()) << lines.status();
  EXPECT_EQ(*lines, std::vector<std::string>());
}

TEST_F(ProcessLifeTest, AKilledClientFreesItsBlocks) {
  std::unique_ptr<ChildProcess> client;
  ASSERT_NO_FATAL_FAILURE(StartStream("8000", &client));
  const auto load = GetLoad(servers_.generation.grpc);
  ASSERT_TRUE(load.ok()) << load.status();
  ASSERT_EQ(load->running(), 1);
  ASSERT_LT(load->free_kv_blocks(), load->total_kv_blocks());

  client->Signal(SIGKILL);
  EXPECT_EQ(ExitCode(*client), 128 + SIGKILL);
  EXPECT_TRUE(WaitUntilIdle(servers_.generation.grpc).ok());
}

TEST_F(ProcessLifeTest, AnInterruptedClientCancelsAndExitsWith130) {
  std::unique_ptr<ChildProcess> client;
  ASSERT_NO_FATAL_FAILURE(StartStream("8000", &client));
  client->Signal(SIGINT);
  EXPECT_EQ(ExitCode(*client), 130);
  EXPECT_TRUE(WaitUntilIdle(servers_.generation.grpc).ok());
}

TEST_F(ProcessLifeTest, ATerminatedBackendFinishesItsStreams) {
  std::unique_ptr<ChildProcess> client;
  ASSERT_NO_FATAL_FAILURE(StartStream("400", &client));
  servers_.generation.process->Signal(SIGTERM);
  const auto lines = client->ReadLines(kPatience);
  ASSERT_TRUE(lines.ok()) << lines.status();
  EXPECT_EQ(ExitCode(*client), 0) << client->Errors();
  ASSERT_FALSE(lines->empty());
  const auto last = ParseMessage(lines->back());
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->finished().usage().completion_tokens(), 400);
  EXPECT_EQ(ExitCode(*servers_.generation.process), 0);
}

TEST_F(ProcessLifeTest, ALostBackendIsUnreachableNotACrash) {
  servers_.generation.process->Signal(SIGKILL);
  EXPECT_EQ(ExitCode(*servers_.generation.process), 128 + SIGKILL);
  auto client = StartClient({"generate", "--target", servers_.router.grpc, "--prompt", "The wind"});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(ExitCode(**client), 1);
  servers_.router.process->Signal(SIGTERM);
  EXPECT_EQ(ExitCode(*servers_.router.process), 0);
}

}  // namespace
}  // namespace windowkv::testing
