#include "client/command_line/command_line.h"

#include <cctype>
#include <ostream>
#include <string>

#include "client/command_line/error_line.h"
#include "client_version.h"

namespace windowkv::client {
namespace {

// Lets every flag also come from the environment: --budget-tokens from WINDOWKV_BUDGET_TOKENS.
void AddEnvironmentNames(CLI::App* command) {
  for (CLI::Option* option : command->get_options()) {
    const auto& names = option->get_lnames();
    if (names.empty() || names.front() == "help") continue;
    std::string variable = "WINDOWKV_";
    for (const char c : names.front()) {
      variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    option->envname(variable);
  }
  for (CLI::App* subcommand : command->get_subcommands({})) AddEnvironmentNames(subcommand);
}

void AddCommands(CLI::App* app, Command* chosen) {
  AddGenerateCommand(app, chosen);
  AddClassifyCommand(app, chosen);
  AddTokenizeCommand(app, chosen);
  AddInfoCommand(app, chosen);
  AddLoadCommand(app, chosen);
  AddBenchCommand(app, chosen);
  for (CLI::App* command : app->get_subcommands({})) AddEnvironmentNames(command);
  // A target in the environment means the router; a classifier is another server.
  app->get_subcommand("classify")->get_option("--target")->envname("WINDOWKV_CLASSIFIER_TARGET");
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv, const CommandContext& context) {
  CLI::App app("Client of a WindowKV server.", "windowkv");
  app.set_version_flag("--version", std::string("windowkv ") + kClientVersion);
  app.set_config("--config", "", "TOML file with flags: [generate], then policy = \"windowkv\"");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.get_formatter()->column_width(34);
  app.footer(
      "Exit codes: 0 done, 1 server error or lost output, 2 bad usage, 3 unreachable,\n"
      "130 interrupted.\n"
      "windowkv COMMAND --help tells a command's flags.");
  app.require_subcommand(1);
  Command chosen;
  AddCommands(&app, &chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // how CLI11 reports errors, --help and --version
    return app.exit(error, context.out, context.err) == 0 ? kExitDone : kExitBadUsage;
  }
  // Some commands read on one thread and write on another; reading must not flush the output.
  context.in.tie(nullptr);
  return chosen(context);
}

}  // namespace windowkv::client
