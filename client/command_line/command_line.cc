#include "client/command_line/command_line.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/command_line/error_line.h"
#include "client_version.h"

namespace windowkv::client {
namespace {

using Arguments = std::vector<std::string>;

// Whether `option` stands among `arguments`, as --flag or --flag=value.
bool IsTyped(const CLI::Option& option, const Arguments& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return argument.rfind("--", 0) == 0 &&
           option.check_name(argument.substr(0, argument.find('=')));
  });
}

// --budget-tokens is also WINDOWKV_BUDGET_TOKENS.
std::string VariableOf(const CLI::App& command, const std::string& flag) {
  // A target in the environment means the router; a classifier is another server.
  if (command.get_name() == "classify" && flag == "target") return "WINDOWKV_CLASSIFIER_TARGET";
  std::string variable = "WINDOWKV_";
  for (const char c : flag) {
    variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return variable;
}

// Lets every flag also come from the environment, unless it and a typed one exclude each other.
void NameVariables(CLI::App* command, const Arguments& arguments) {
  for (CLI::Option* option : command->get_options()) {
    const auto& names = option->get_lnames();
    if (names.empty() || names.front() == "help") continue;
    const std::set<CLI::Option*> excluded = option->get_excludes();
    const bool gives_way =
        std::any_of(excluded.begin(), excluded.end(),
                    [&](const CLI::Option* other) { return IsTyped(*other, arguments); });
    if (!gives_way) option->envname(VariableOf(*command, names.front()));
  }
}

// Does so when `command`, or one of its own, turns out to be the chosen one: a variable that is
// wrong for one command is another's business.
void ReadEnvironment(CLI::App* command, const Arguments& arguments) {
  command->preparse_callback([=](size_t) { NameVariables(command, arguments); });
  for (CLI::App* subcommand : command->get_subcommands({})) ReadEnvironment(subcommand, arguments);
}

void AddCommands(CLI::App* app, Command* chosen) {
  AddGenerateCommand(app, chosen);
  AddClassifyCommand(app, chosen);
  AddTokenizeCommand(app, chosen);
  AddInfoCommand(app, chosen);
  AddLoadCommand(app, chosen);
  AddBackendsCommand(app, chosen);
  AddBenchCommand(app, chosen);
}

// CLI11's words, but for what they leave out.
std::string ProblemOf(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  if (error.get_name() == "RequiredError" && !unknown.empty()) {
    return "there is no command " + unknown.front();
  }
  absl::string_view problem = error.what();
  if (error.get_name() == "ConfigError" &&
      absl::ConsumePrefix(&problem, "INI was not able to parse ")) {
    absl::ConsumeSuffix(&problem, ".++");  // the begin of a section
    return absl::StrCat("--config: there is no option ", problem);
  }
  return std::string(problem);
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv, const CommandContext& context) {
  CLI::App app("Client of a WindowKV server.", "windowkv");
  app.set_version_flag("--version", std::string("windowkv ") + kClientVersion);
  app.set_config(
      "--config", "",
      "Before the command: file with flags: [generate], then policy = \"windowkv\"; # begins a "
      "comment, within quotes too");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.get_formatter()->column_width(34);
  app.footer(
      "Exit codes: 0 done, 1 server error or lost output, 2 bad usage, 3 unreachable,\n"
      "130 interrupted, 143 terminated.\n"
      "windowkv COMMAND --help tells a command's flags.");
  app.require_subcommand(1);
  Command chosen;
  AddCommands(&app, &chosen);
  const Arguments arguments(argv, argv + argc);
  for (CLI::App* command : app.get_subcommands({})) ReadEnvironment(command, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // how CLI11 reports errors, --help and --version
    if (error.get_exit_code() == 0) return app.exit(error, context.out, context.err);
    context.err << "windowkv: " << ProblemOf(app, error)
                << "\nRun with --help for more information." << std::endl;
    return kExitBadUsage;
  }
  // Some commands read on one thread and write on another; reading must not flush the output.
  context.in.tie(nullptr);
  return chosen(context);
}

}  // namespace windowkv::client
