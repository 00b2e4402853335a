#include <memory>
#include <ostream>

#include "absl/strings/str_format.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"

namespace windowkv::client {
namespace {

struct ServerLoadFlags {
  ConnectionFlags connection;
  bool json = false;
};

std::string LoadText(const v1::Load& load) {
  const double total = static_cast<double>(load.total_kv_blocks());
  const double free_share = total > 0 ? static_cast<double>(load.free_kv_blocks()) / total : 0;
  return absl::StrFormat("%-10s %d free of %d (%.1f %%)\n", "KV blocks", load.free_kv_blocks(),
                         load.total_kv_blocks(), 100 * free_share) +
         absl::StrFormat("%-10s %d running, %d waiting\n", "requests", load.running(),
                         load.waiting()) +
         absl::StrFormat("%-10s %s\n", "accepting", load.accepting() ? "yes" : "no");
}

int RunLoad(const ServerLoadFlags& flags, const CommandContext& context) {
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  auto load = (*client)->GetLoad(flags.connection.ToCallOptions(&context.interrupt));
  if (!load.ok()) return Fail(load.status(), context);
  context.out << (flags.json ? JsonLine(*load) : LoadText(*load)) << std::flush;
  return kExitDone;
}

}  // namespace

void AddLoadCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand("load", "Show how busy the server is now");
  auto flags = std::make_shared<ServerLoadFlags>();
  AddConnectionFlags(command, kRouterTarget, "10s", &flags->connection);
  AddJsonFlag(command, &flags->json);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunLoad(*flags, context); };
  });
}

}  // namespace windowkv::client
