#include <unistd.h>

#include <iostream>

#include "client/cancellation.h"
#include "client/command_line/command_line.h"
#include "client/command_line/interrupts.h"

int main(int argc, char** argv) {
  windowkv::client::Cancellation interrupt;
  const windowkv::client::Interrupts interrupts(&interrupt);
  std::ios::sync_with_stdio(false);
  return windowkv::client::RunCommandLine(argc, argv,
                                          {.in = std::cin,
                                           .out = std::cout,
                                           .err = std::cerr,
                                           .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                                           .err_is_terminal = isatty(STDERR_FILENO) == 1,
                                           .interrupt = interrupt});
}
