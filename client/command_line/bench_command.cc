#include "client/command_line/command.h"

namespace windowkv::client {

void AddBenchCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand("bench", "Measure a server");
  command->require_subcommand(1);
  AddBenchLoadCommand(command, chosen);
  AddBenchQualityCommand(command, chosen);
}

}  // namespace windowkv::client
