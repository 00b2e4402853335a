#include "server/rpc/server_flags.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;

ServerFlags MakeFlags() {
  return ServerFlags("windowkv-test", "A server for tests", "127.0.0.1:50099", "127.0.0.1:9199");
}

std::optional<int> Parse(ServerFlags* flags, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "windowkv-test");
  return flags->Parse(static_cast<int>(arguments.size()), arguments.data());
}

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST(ServerFlagsTest, TheDefaultsListenOnLoopback) {
  ServerFlags flags = MakeFlags();
  ASSERT_EQ(Parse(&flags, {}), std::nullopt);
  EXPECT_EQ(flags.options().program, "windowkv-test");
  EXPECT_EQ(flags.options().listen, (HostPort{"127.0.0.1", 50099}));
  EXPECT_EQ(flags.options().http, (HostPort{"127.0.0.1", 9199}));
  EXPECT_EQ(flags.options().drain_timeout, absl::Seconds(30));
}

TEST(ServerFlagsTest, ReadsEveryCommonFlag) {
  ServerFlags flags = MakeFlags();
  ASSERT_EQ(
      Parse(&flags,
            {"--listen=0.0.0.0:0", "--http", "[::1]:1", "--log-level=debug", "--drain-timeout=1m5s",
             "--max-message-bytes=2MiB", "--keepalive-time=3s", "--connection-memory=64MiB",
             "--keepalive-timeout=2s", "--tls-cert=c", "--tls-key=k", "--tls-client-ca=ca"}),
      std::nullopt);
  const ServerOptions& options = flags.options();
  EXPECT_EQ(options.listen, (HostPort{"0.0.0.0", 0}));
  EXPECT_EQ(options.http, (HostPort{"::1", 1}));
  EXPECT_EQ(options.log_level, "debug");
  EXPECT_EQ(options.drain_timeout, absl::Seconds(65));
  EXPECT_EQ(options.max_message_bytes, 2 << 20);
  EXPECT_EQ(options.connection_memory_bytes, 64 << 20);
  EXPECT_EQ(options.keepalive_time, absl::Seconds(3));
  EXPECT_EQ(options.keepalive_timeout, absl::Seconds(2));
  EXPECT_EQ(options.tls.certificate_file, "c");
  EXPECT_EQ(options.tls.key_file, "k");
  EXPECT_EQ(options.tls.client_ca_file, "ca");
}

TEST(ServerFlagsTest, ASlowReaderTimeoutOfZeroIsNever) {
  absl::Duration timeout = absl::Seconds(60);
  ServerFlags defaults = MakeFlags();
  defaults.AddSlowReaderTimeout(&timeout);
  ASSERT_EQ(Parse(&defaults, {}), std::nullopt);
  EXPECT_EQ(timeout, absl::Seconds(60));
  ServerFlags given = MakeFlags();
  given.AddSlowReaderTimeout(&timeout);
  ASSERT_EQ(Parse(&given, {"--slow-reader-timeout=90s"}), std::nullopt);
  EXPECT_EQ(timeout, absl::Seconds(90));
  ServerFlags never = MakeFlags();
  never.AddSlowReaderTimeout(&timeout);
  ASSERT_EQ(Parse(&never, {"--slow-reader-timeout=0"}), std::nullopt);
  EXPECT_EQ(timeout, absl::InfiniteDuration());
}

TEST(ServerFlagsTest, EveryFlagIsAnEnvironmentVariable) {
  const Environment common("WINDOWKV_DRAIN_TIMEOUT", "7s");
  const Environment own("WINDOWKV_MAX_RUNNING", "3");
  ServerFlags flags = MakeFlags();
  int max_running = 1;
  flags.app().add_option("--max-running", max_running);
  ASSERT_EQ(Parse(&flags, {}), std::nullopt);
  EXPECT_EQ(flags.options().drain_timeout, absl::Seconds(7));
  EXPECT_EQ(max_running, 3);
}

TEST(ServerFlagsTest, AFlagBeatsTheFileWhichBeatsTheEnvironment) {
  const std::string path = ::testing::TempDir() + "/server_flags_test.conf";
  std::ofstream(path) << "drain-timeout=\"2s\"\nlog-level=\"warning\"\n";
  const Environment drain("WINDOWKV_DRAIN_TIMEOUT", "7s");
  const Environment level("WINDOWKV_LOG_LEVEL", "debug");
  ServerFlags flags = MakeFlags();
  ASSERT_EQ(Parse(&flags, {"--config", path.c_str(), "--drain-timeout=1s"}), std::nullopt);
  EXPECT_EQ(flags.options().drain_timeout, absl::Seconds(1));
  EXPECT_EQ(flags.options().log_level, "warning");
}

TEST(ServerFlagsTest, AnEmptyVariableIsBadUsage) {
  const Environment empty("WINDOWKV_DRAIN_TIMEOUT", "");
  ServerFlags flags = MakeFlags();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Parse(&flags, {}), 2);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("WINDOWKV_DRAIN_TIMEOUT is set and empty"));
  ServerFlags typed = MakeFlags();
  EXPECT_EQ(Parse(&typed, {"--drain-timeout=5s"}), std::nullopt);
  EXPECT_EQ(typed.options().drain_timeout, absl::Seconds(5));
}

TEST(ServerFlagsTest, ALineOfTheFileThatIsNoFlagIsBadUsage) {
  const std::string path = ::testing::TempDir() + "/server_flags_unknown.conf";
  std::ofstream(path) << "drain-timeot=\"2s\"\n";
  ServerFlags flags = MakeFlags();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Parse(&flags, {"--config", path.c_str()}), 2);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("drain-timeot"));
}

TEST(ServerFlagsTest, BadUsageIsOneLineNamingTheFlag) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"--listen=here", "--listen"},
      {"--http=127.0.0.1:70000", "--http"},
      {"--drain-timeout=soon",
       "--drain-timeout: expected a duration such as 30s or 1m30s, found \"soon\""},
      {"--drain-timeout=-1s", "-1s"},
      {"--drain-timeout=inf", "found \"inf\""},
      {"--drain-timeout=2562047h", "--drain-timeout: is 2562047h, must be in [0s, 24h]"},
      {"--keepalive-time=1ms", "--keepalive-time is 1ms, must be in [1s, 2h]"},
      {"--keepalive-timeout=0", "--keepalive-timeout is 0"},
      {"--log-level=loud", "--log-level"},
      {"--max-message-bytes=12parsecs", "parsecs"},
      {"--no-such-flag=1", "--no-such-flag"},
  };
  for (const auto& [argument, named] : cases) {
    ServerFlags flags = MakeFlags();
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(Parse(&flags, {argument}), 2) << argument;
    const std::string line = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(line, HasSubstr(named));
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  }
}

TEST(ServerFlagsTest, VersionSaysTheCommitAndHelpTheDefaults) {
  ServerFlags flags = MakeFlags();
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(Parse(&flags, {"--version"}), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(),
              ::testing::MatchesRegex("windowkv-test [0-9.]+ \\(.+\\)\n"));
  ServerFlags for_help = MakeFlags();
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(Parse(&for_help, {"--help"}), 0);
  const std::string help = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(help, HasSubstr("127.0.0.1:50099"));
  EXPECT_THAT(help, HasSubstr("WINDOWKV_DRAIN_TIMEOUT"));
  EXPECT_THAT(help, HasSubstr("30s"));
}

}  // namespace
}  // namespace windowkv
