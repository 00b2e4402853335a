#ifndef WINDOWKV_CLIENT_COMMAND_LINE_COMMAND_LINE_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_COMMAND_LINE_H_

#include "client/command_line/command.h"

namespace windowkv::client {

// Parses `argv` and runs the subcommand it names; returns the process's exit code. Never exits.
int RunCommandLine(int argc, const char* const* argv, const CommandContext& context);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_COMMAND_LINE_H_
