#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/str_format.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"

namespace windowkv::client {
namespace {

struct BackendsFlags {
  ConnectionFlags connection;
  bool json = false;
};

std::string BackendText(const v1::Backend& backend) {
  const v1::Load& load = backend.load();
  return absl::StrFormat(
      "%-24s %-12s %d of %d KV blocks free, %d running, %d waiting, %d of this router's streams\n",
      backend.target(), backend.healthy() ? "healthy" : "not healthy", load.free_kv_blocks(),
      load.total_kv_blocks(), load.running(), load.waiting(), backend.open_streams());
}

int RunBackends(const BackendsFlags& flags, const CommandContext& context) {
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  auto response = (*client)->ListBackends(flags.connection.ToCallOptions(&context.interrupt));
  if (!response.ok()) return Fail(response.status(), context);
  if (flags.json) {
    context.out << JsonLine(*response);
  } else {
    for (const v1::Backend& backend : response->backends()) context.out << BackendText(backend);
  }
  context.out << std::flush;
  return kExitDone;
}

}  // namespace

void AddBackendsCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand(
      "backends", "Show a router's generation servers, their health and their last load reports");
  auto flags = std::make_shared<BackendsFlags>();
  AddConnectionFlags(command, kRouterTarget, "10s", &flags->connection);
  AddJsonFlag(command, &flags->json);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunBackends(*flags, context); };
  });
}

}  // namespace windowkv::client
