#ifndef WINDOWKV_TESTS_CLIENT_COMMAND_LINE_COMMAND_LINE_FIXTURE_H_
#define WINDOWKV_TESTS_CLIENT_COMMAND_LINE_COMMAND_LINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/command_line/command_line.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {

struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs command lines in this process beside a fake generation server.
class CommandLineFixture : public ::testing::Test {
 protected:
  Outcome Run(std::vector<std::string> arguments, bool terminal = false) {
    arguments.insert(arguments.begin(), "windowkv");
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::istringstream in(standard_input_);
    in.tie(tied_to_input_);
    std::ostringstream out;
    std::ostringstream err;
    const int code = RunCommandLine(static_cast<int>(argv.size()), argv.data(),
                                    {.in = in,
                                     .out = out,
                                     .err = err,
                                     .out_is_terminal = terminal,
                                     .err_is_terminal = terminal,
                                     .interrupt = interrupt_});
    return {code, out.str(), err.str()};
  }

  // Runs a subcommand against the fake generation server.
  Outcome Call(const std::string& command, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {command, "--target", server_.target()});
    return Run(std::move(arguments));
  }

  std::string standard_input_;
  std::ostream* tied_to_input_ = nullptr;  // not owned
  Cancellation interrupt_;
  testing::FakeGenerationService service_;
  testing::FakeServer server_{&service_};
};

}  // namespace windowkv::client

#endif  // WINDOWKV_TESTS_CLIENT_COMMAND_LINE_COMMAND_LINE_FIXTURE_H_
