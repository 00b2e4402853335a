#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <ostream>

#include "client/cancellation.h"
#include "client/command_line/command_line.h"
#include "client/command_line/error_line.h"
#include "client/command_line/interrupts.h"
#include "client/command_line/output_buffer.h"

int main(int argc, char** argv) {
  using namespace windowkv::client;
  Cancellation interrupt;
  const Interrupts interrupts(&interrupt);
  std::ios::sync_with_stdio(false);
  OutputBuffer buffer(STDOUT_FILENO);
  std::ostream out(&buffer);
  int code = RunCommandLine(argc, argv,
                            {.in = std::cin,
                             .out = out,
                             .err = std::cerr,
                             .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                             .err_is_terminal = isatty(STDERR_FILENO) == 1,
                             .interrupt = interrupt});
  if (code == kExitInterrupted) code = interrupts.exit_code();
  out.flush();
  if (buffer.error() == 0) return code;
  // Who closed the pipe does not want the rest.
  if (buffer.error() != EPIPE) {
    std::cerr << "windowkv: cannot write standard output: " << std::strerror(buffer.error())
              << std::endl;
  }
  return code == kExitDone ? kExitServerError : code;
}
