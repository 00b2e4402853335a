#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/rpc/host_port.h"
#include "tests/integration/process_usage.h"
#include "tests/integration/running_servers.h"
#include "tests/integration/stream_crowd.h"

namespace windowkv::testing {
namespace {

v1::GenerateRequest ClassifiedRequest() {
  v1::GenerateRequest request = WindRequest(4);
  request.mutable_cache()->set_policy(v1::CACHE_POLICY_WINDOWKV);
  return request;
}

// Servers that lack what they had, or expected, of their machine.
class StarvedServerTest : public ::testing::Test {
 protected:
  struct Models {
    std::vector<std::string> classifier = ModelFlags("task_classifier");
    std::vector<std::string> generation = ModelFlags("demo_llama");
  };

  void Start(const ServerPlace& place, const Models& models) {
    ASSERT_NO_FATAL_FAILURE(
        StartOne("windowkv-classifier", models.classifier, place, &servers_.classifier));
    ASSERT_NO_FATAL_FAILURE(
        StartOne("windowkv-generation", models.generation, place, &servers_.generation));
    ASSERT_NO_FATAL_FAILURE(StartOne(
        "windowkv-router",
        // Each request depends on the classifier.
        {"--classifier", servers_.classifier.grpc, "--generation", servers_.generation.grpc,
         "--task-cache-entries", "0", "--min-task-confidence", "0"},
        place, &servers_.router));
  }
  static void StartOne(const std::string& name, const std::vector<std::string>& flags,
                       const ServerPlace& place, RunningServer* server) {
    auto started = StartServer(name, flags, place);
    ASSERT_TRUE(started.ok()) << started.status();
    *server = *std::move(started);
    ASSERT_TRUE(WaitUntilServing(server->grpc).ok());
  }

  void ExpectAnAnswer() const {
    StreamCrowd one(servers_.router.grpc, 1, ClassifiedRequest());
    const StreamOutcome& outcome = one.Join()[0];
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.task.fallback_reason(), "");
  }

  RunningServers servers_;
};

TEST_F(StarvedServerTest, AFullDiskForLogsStopsNothing) {
  Start({.listen = "127.0.0.1:0", .error_file = "/dev/full"}, {});
  for (int i = 0; i < 3; ++i) ExpectAnAnswer();
}

TEST_F(StarvedServerTest, AModelIsNotReadAgainWhenItsDirectoryIsGone) {
  const auto copy =
      std::filesystem::path(::testing::TempDir()) / absl::StrCat("starved_server_test_", getpid());
  Models models;
  std::filesystem::create_directory(copy);
  for (auto* flags : {&models.classifier, &models.generation}) {
    const std::filesystem::path original = flags->back();
    std::filesystem::copy(
        original, copy / original.filename(),
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
    flags->back() = copy / original.filename();
  }
  Start({}, models);
  std::filesystem::remove_all(copy);
  for (int i = 0; i < 3; ++i) ExpectAnAnswer();
}

// Connections to a server that are held open.
class HeldConnections {
 public:
  HeldConnections(const std::string& grpc, int count) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(ParseHostPort(grpc)->port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < count; ++i) {
      fds_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(connect(fds_.back(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    }
  }
  ~HeldConnections() {
    for (const int fd : fds_) close(fd);
  }
  // Whether the server closes the newest within half a minute.
  bool NewestIsTurnedAway() const {
    const timeval limit{.tv_sec = 30, .tv_usec = 0};
    setsockopt(fds_.back(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    std::string bytes(1024, 0);
    ssize_t size = 1;
    while (size > 0) size = read(fds_.back(), bytes.data(), bytes.size());
    return size == 0 || errno == ECONNRESET;
  }

 private:
  std::vector<int> fds_;
};

TEST_F(StarvedServerTest, WithoutFileDescriptorsOnlyNewConnectionsSufferAndOnlyForThatTime) {
  Start({}, {});
  StreamCrowd running(servers_.router.grpc, 4, WindRequest(100));
  running.WaitForText(4);
  for (const RunningServer* server : {&servers_.router, &servers_.generation}) {
    AllowFileDescriptors(server->process->pid(), 2);
  }
  {
    const HeldConnections to_router(servers_.router.grpc, 20);
    const HeldConnections to_backend(servers_.generation.grpc, 20);
    EXPECT_TRUE(to_router.NewestIsTurnedAway());
    EXPECT_TRUE(to_backend.NewestIsTurnedAway());
    for (const StreamOutcome& outcome : running.Join()) {
      EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    }
  }
  EXPECT_TRUE(WaitUntilServing(servers_.router.grpc).ok());
  ExpectAnAnswer();
}

}  // namespace
}  // namespace windowkv::testing
