#ifndef WINDOWKV_CLIENT_COMMAND_LINE_ERROR_LINE_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_ERROR_LINE_H_

#include <string>

#include "absl/status/status.h"

namespace windowkv::client {

// What the program tells its caller.
enum ExitCode : int {
  kExitDone = 0,
  kExitServerError = 1,  // or lost output
  kExitBadUsage = 2,
  kExitUnreachable = 3,
  kExitInterrupted = 130,  // 143 where it was SIGTERM
};

// One line without its end: "INVALID_ARGUMENT cache.beta: cache.beta is 0, must be in [1, 1024]",
// then the reason, where it says more than the code, and the time after which a retry may succeed.
std::string ErrorLine(const absl::Status& status);

// The exit code for a call that failed with `status`.
ExitCode ExitCodeFor(const absl::Status& status);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_ERROR_LINE_H_
