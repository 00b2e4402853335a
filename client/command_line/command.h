#ifndef WINDOWKV_CLIENT_COMMAND_LINE_COMMAND_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_COMMAND_H_

#include <google/protobuf/message.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iosfwd>
#include <string>

#include "absl/status/status.h"
#include "client/cancellation.h"

namespace windowkv::client {

// What a subcommand runs in. Nothing is owned; everything outlives the command.
struct CommandContext {
  std::istream& in;
  // Results only.
  std::ostream& out;
  // Errors, progress and receipts.
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  // Cancelled when the user interrupts the program.
  Cancellation& interrupt;
};

// Runs a subcommand whose flags have been parsed; returns the exit code.
using Command = std::function<int(const CommandContext&)>;

// Each adds a subcommand with its flags to `app`; when it is the one named on the command line,
// parsing sets `*chosen`.
void AddGenerateCommand(CLI::App* app, Command* chosen);
void AddClassifyCommand(CLI::App* app, Command* chosen);
void AddTokenizeCommand(CLI::App* app, Command* chosen);
void AddInfoCommand(CLI::App* app, Command* chosen);
void AddLoadCommand(CLI::App* app, Command* chosen);
void AddBackendsCommand(CLI::App* app, Command* chosen);
void AddBenchCommand(CLI::App* app, Command* chosen);
// Subcommands of `bench`.
void AddBenchLoadCommand(CLI::App* bench, Command* chosen);
void AddBenchQualityCommand(CLI::App* bench, Command* chosen);

// Default targets.
inline constexpr char kRouterTarget[] = "127.0.0.1:50050";
inline constexpr char kClassifierTarget[] = "127.0.0.1:50052";

void AddJsonFlag(CLI::App* app, bool* json);

// Prints the error line of a call that failed; returns the exit code.
int Fail(const absl::Status& status, const CommandContext& context);
// The same for what is wrong before any call.
int FailUsage(const absl::Status& status, const CommandContext& context);

// One line of protobuf JSON with the proto's own field names.
std::string JsonLine(const google::protobuf::Message& message);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_COMMAND_H_
