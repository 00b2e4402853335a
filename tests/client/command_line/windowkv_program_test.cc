#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "tests/testing/fake_generation_server.h"

namespace windowkv {
namespace {

// The windowkv program as a child process; its standard output, unless it goes to a file, and error
// can be read here.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments, const char* out_file = nullptr,
                   int in = -1) {
    const char* bin = std::getenv("WINDOWKV_BIN_DIR");
    arguments.insert(arguments.begin(), std::string(bin == nullptr ? "." : bin) + "/windowkv");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int out[2];
    int err[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (in < 0) {
      posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    } else {
      posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    }
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    if (out_file != nullptr) {
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_file, O_WRONLY, 0);
    }
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    if (posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }
  ~Program() {
    close(out_);
    close(err_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // False when there is no such program; nothing else may be called then.
  bool started() const { return pid_ > 0; }
  // At least one byte of standard output, as soon as there is one; empty at its end.
  std::string ReadOut() const { return ReadSome(out_); }
  std::string ReadAllErr() const {
    std::string all;
    for (std::string part = ReadSome(err_); !part.empty(); part = ReadSome(err_)) all += part;
    return all;
  }
  void Signal(int signal) const { kill(pid_, signal); }
  int ExitCode() const {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static std::string ReadSome(int fd) {
    char buffer[4096];
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : "";
  }

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
};

TEST(WindowkvProgramTest, StreamsTextWhileTheServerStillWrites) {
  testing::FakeGenerationService service;
  testing::FakeServer server(&service);
  std::mutex mu;
  std::condition_variable changed;
  bool go_on = false;
  service.on_generate = [&](const auto& request, auto*, auto* writer) {
    writer->Write(testing::AcceptedMessage(request));
    writer->Write(testing::ChunkMessage("first", 1));
    std::unique_lock lock(mu);
    changed.wait(lock, [&] { return go_on; });
    writer->Write(testing::ChunkMessage(" second", 2));
    writer->Write(testing::FinishedMessage());
    return grpc::Status::OK;
  };
  const Program program({"generate", "--target", server.target(), "--prompt", "hi"});
  ASSERT_TRUE(program.started());
  EXPECT_EQ(program.ReadOut(), "first");
  {
    std::lock_guard lock(mu);
    go_on = true;
  }
  changed.notify_all();
  EXPECT_EQ(program.ReadOut(), " second");
  EXPECT_EQ(program.ExitCode(), 0);
  EXPECT_EQ(program.ReadAllErr(), "");
}

class WindowkvProgramSignalTest : public ::testing::TestWithParam<int> {};

TEST_P(WindowkvProgramSignalTest, CancelsTheRequestOnTheServer) {
  testing::FakeGenerationService service;
  testing::FakeServer server(&service);
  service.on_generate = [&](const auto& request, grpc::ServerContext* context, auto* writer) {
    writer->Write(testing::AcceptedMessage(request));
    writer->Write(testing::ChunkMessage("begin", 1));
    return service.HoldUntilCancelled(context);
  };
  const Program program({"generate", "--target", server.target(), "--prompt", "hi"});
  ASSERT_TRUE(program.started());
  EXPECT_EQ(program.ReadOut(), "begin");
  program.Signal(GetParam());
  service.WaitForCancellation();
  EXPECT_EQ(program.ExitCode(), 128 + GetParam());
  EXPECT_EQ(program.ReadAllErr(), "windowkv: interrupted\n");
}

INSTANTIATE_TEST_SUITE_P(Signals, WindowkvProgramSignalTest, ::testing::Values(SIGINT, SIGTERM));

TEST(WindowkvProgramTest, OneSignalEndsItWhileItWaitsForInput) {
  testing::FakeClassifierService service;
  testing::FakeServer server(&service);
  int input[2];
  ASSERT_EQ(pipe2(input, O_CLOEXEC), 0);
  const Program program({"classify", "--target", server.target(), "--jsonl", "-"}, nullptr,
                        input[0]);
  ASSERT_TRUE(program.started());
  const std::string line = "{\"text\": \"a\"}\n";
  ASSERT_EQ(write(input[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
  EXPECT_NE(program.ReadOut(), "");  // it is there, and waits for the next line
  program.Signal(SIGTERM);
  EXPECT_EQ(program.ExitCode(), 128 + SIGTERM);
  close(input[0]);
  close(input[1]);
}

TEST(WindowkvProgramTest, OutputThatCannotBeWrittenIsAnError) {
  testing::FakeGenerationService service;
  testing::FakeServer server(&service);
  const std::vector<std::vector<std::string>> commands = {
      {"generate", "--target", server.target(), "--prompt", "hi"},
      {"info", "--target", server.target(), "--json"},
      {"--help"}};
  for (const std::vector<std::string>& command : commands) {
    const Program program(command, "/dev/full");
    ASSERT_TRUE(program.started());
    EXPECT_EQ(program.ExitCode(), 1) << command[0];
    EXPECT_EQ(program.ReadAllErr(),
              "windowkv: cannot write standard output: No space left on device\n")
        << command[0];
  }
}

TEST(WindowkvProgramTest, AnUnreachableServerIsExitCode3) {
  int free_port = 0;
  {
    testing::FakeGenerationService service;
    free_port = testing::FakeServer(&service).port();
  }
  const Program program({"info", "--target", "127.0.0.1:" + std::to_string(free_port)});
  ASSERT_TRUE(program.started());
  EXPECT_EQ(program.ExitCode(), 3);
  const std::string err = program.ReadAllErr();
  EXPECT_EQ(err.rfind("windowkv: UNAVAILABLE: ", 0), 0u) << err;
}

TEST(WindowkvProgramTest, AnUnknownFlagIsExitCode2) {
  const Program program({"generate", "--no-such-flag"});
  ASSERT_TRUE(program.started());
  EXPECT_EQ(program.ExitCode(), 2);
  EXPECT_NE(program.ReadAllErr(), "");
}

}  // namespace
}  // namespace windowkv
