#ifndef WINDOWKV_TESTS_INTEGRATION_CHILD_PROCESS_H_
#define WINDOWKV_TESTS_INTEGRATION_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace windowkv::testing {

// A program run by a test: its standard output is read line by line, its standard error goes to a
// file. Owned by the test, whose thread alone may use it; the destructor kills what still runs.
class ChildProcess {
 public:
  // `argv[0]` is the program's path. Errors: NOT_FOUND and others from the system, naming the
  // program.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& argv,
                                                             const std::string& error_file);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line, without its end; nullopt when the program closed its output.
  // DEADLINE_EXCEEDED: no whole line came in time.
  absl::StatusOr<std::optional<std::string>> ReadLine(absl::Duration timeout);
  // All lines to the end of the output.
  absl::StatusOr<std::vector<std::string>> ReadLines(absl::Duration timeout);

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // The exit code, 128 + N for a program killed by signal N. DEADLINE_EXCEEDED: it still runs.
  absl::StatusOr<int> Wait(absl::Duration timeout);

  // What it wrote to standard error so far.
  std::string Errors() const;

 private:
  ChildProcess(pid_t pid, int process_fd, int output_fd, std::string error_file);

  const pid_t pid_;
  const int process_fd_;  // readable once the program ended
  const int output_fd_;
  const std::string error_file_;
  std::string unread_;
  std::optional<int> exit_code_;
};

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_INTEGRATION_CHILD_PROCESS_H_
