#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/running_servers.h"

namespace windowkv::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";

// The command line client asks through the router; what the three servers log at info.
class TraceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto servers = RunningServers::Start();
    ASSERT_TRUE(servers.ok()) << servers.status();
    servers_ = *std::move(servers);
  }

  void Ask(const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {"generate", "--target",           servers_.router.grpc,
                                          "--prompt", "Where is the wind?", "--max-tokens",
                                          "3",        "--request-id",       "r7",
                                          "--policy", "windowkv",           "--budget-tokens",
                                          "64"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    auto client = StartClient(arguments);
    ASSERT_TRUE(client.ok()) << client.status();
    const auto code = (*client)->Wait(kPatience);
    ASSERT_TRUE(code.ok()) << code.status();
    ASSERT_EQ(*code, 0) << (*client)->Errors();
  }

  // The lines about requests, all written once the server has ended.
  static std::vector<std::string> LinesOfRequests(RunningServer* server) {
    server->process->Signal(SIGTERM);
    EXPECT_TRUE(server->process->Wait(kPatience).ok());
    std::vector<std::string> lines;
    for (const auto& line : absl::StrSplit(server->process->Errors(), '\n')) {
      if (absl::StrContains(line, "trace_id=")) lines.emplace_back(line);
    }
    return lines;
  }

  RunningServers servers_;
};

TEST_F(TraceTest, EachServerLogsOneLineOfTheClientsTrace) {
  ASSERT_NO_FATAL_FAILURE(
      Ask({"--traceparent", absl::StrCat("00-", kTraceId, "-00f067aa0ba902b7-01")}));
  const auto ids = HasSubstr(absl::StrCat("level=info program=windowkv-"));
  for (RunningServer* server : {&servers_.router, &servers_.classifier, &servers_.generation}) {
    EXPECT_THAT(LinesOfRequests(server),
                ElementsAre(AllOf(
                    ids, HasSubstr(absl::StrCat("trace_id=", kTraceId, " request_id=r7 msg=")))));
  }
}

TEST_F(TraceTest, TheRoutersLineSaysWhereTheRequestWentAndWhatItsTaskIs) {
  ASSERT_NO_FATAL_FAILURE(Ask({}));
  const std::vector<std::string> lines = LinesOfRequests(&servers_.router);
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0], ContainsRegex(absl::StrCat("code=OK backend=", servers_.generation.grpc,
                                                   " attempts=1 task=[a-z]+")));
}

TEST_F(TraceTest, WithoutATraceOfTheClientsTheRouterBeginsOneForAll) {
  ASSERT_NO_FATAL_FAILURE(Ask({}));
  const std::vector<std::string> lines = LinesOfRequests(&servers_.router);
  ASSERT_THAT(lines, SizeIs(1));
  const size_t at = lines[0].find("trace_id=");
  const std::string trace = lines[0].substr(at, lines[0].find(' ', at) - at);
  EXPECT_THAT(trace, SizeIs(sizeof("trace_id=") - 1 + 32));
  for (RunningServer* server : {&servers_.classifier, &servers_.generation}) {
    EXPECT_THAT(LinesOfRequests(server), ElementsAre(HasSubstr(trace)));
  }
}

}  // namespace
}  // namespace windowkv::testing
