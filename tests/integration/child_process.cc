#include "tests/integration/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace windowkv::testing {
namespace {

// Whether `fd` became readable, or closed, before `deadline`.
bool WaitReadable(int fd, absl::Time deadline) {
  while (true) {
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    // Rounded up, or the last millisecond would be spent polling without a wait.
    const int ready =
        poll(&entry, 1, static_cast<int>(absl::ToInt64Milliseconds(left + absl::Milliseconds(1))));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// Starts the program; returns its id or the error number.
int Spawn(const std::vector<std::string>& argv, int output_fd, const std::string& error_file,
          pid_t* pid) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error_file.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int error = posix_spawn(pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& argv, const std::string& error_file) {
  std::array<int, 2> pipe_fds;
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  pid_t pid = 0;
  const int error = Spawn(argv, pipe_fds[1], error_file, &pid);
  close(pipe_fds[1]);
  if (error != 0) {
    close(pipe_fds[0]);
    return absl::ErrnoToStatus(error, argv[0]);
  }
  const int process_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, process_fd, pipe_fds[0], error_file));
}

ChildProcess::ChildProcess(pid_t pid, int process_fd, int output_fd, std::string error_file)
    : pid_(pid),
      process_fd_(process_fd),
      output_fd_(output_fd),
      error_file_(std::move(error_file)) {}

ChildProcess::~ChildProcess() {
  if (!exit_code_) {
    Signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_fd_);
  if (process_fd_ >= 0) close(process_fd_);
}

absl::StatusOr<std::optional<std::string>> ChildProcess::ReadLine(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (!WaitReadable(output_fd_, deadline)) {
      return absl::DeadlineExceededError(absl::StrCat("no line came; its log says:\n", Errors()));
    }
    std::array<char, 65536> buffer;
    const ssize_t size = read(output_fd_, buffer.data(), buffer.size());
    if (size < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "reading the output");
    if (size == 0) return std::nullopt;
    if (size > 0) unread_.append(buffer.data(), static_cast<size_t>(size));
  }
}

absl::StatusOr<std::vector<std::string>> ChildProcess::ReadLines(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  std::vector<std::string> lines;
  while (true) {
    auto line = ReadLine(deadline - absl::Now());
    if (!line.ok()) return line.status();
    if (!line->has_value()) return lines;
    lines.push_back(**std::move(line));
  }
}

void ChildProcess::Signal(int signal) const {
  if (!exit_code_) kill(pid_, signal);
}

absl::StatusOr<int> ChildProcess::Wait(absl::Duration timeout) {
  if (exit_code_) return *exit_code_;
  if (process_fd_ < 0) return absl::UnimplementedError("this kernel has no pidfd_open");
  if (!WaitReadable(process_fd_, absl::Now() + timeout)) {
    return absl::DeadlineExceededError(absl::StrCat("it still runs; its log says:\n", Errors()));
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return absl::ErrnoToStatus(errno, "waitpid");
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return *exit_code_;
}

std::string ChildProcess::Errors() const {
  std::ifstream file(error_file_);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace windowkv::testing
