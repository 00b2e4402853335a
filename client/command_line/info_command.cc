#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/enum_names.h"
#include "client/command_line/error_line.h"
#include "client/command_line/quantity_text.h"

namespace windowkv::client {
namespace {

struct InfoFlags {
  ConnectionFlags connection;
  bool json = false;
};

std::string Row(const std::string& name, const std::string& value) {
  return absl::StrFormat("%-16s %s\n", name, value);
}

std::string CacheText(const v1::ModelInfo& info) {
  const v1::ResolvedCacheOptions& cache = info.default_cache();
  return Row("default cache", absl::StrFormat("%s, budget %d tokens per layer, %s accounting",
                                              EnumName(cache.policy()), cache.budget_tokens(),
                                              EnumName(cache.accounting()))) +
         Row("", absl::StrFormat("windows of %d, %d layers share, beta %d, %d sink tokens",
                                 cache.window_size(), cache.shared_layers(), cache.beta(),
                                 cache.sink_tokens())) +
         Row("",
             absl::StrFormat("strategy %s, mapping %s, task %s", EnumName(cache.strategy()),
                             EnumName(info.default_task_mapping()), EnumName(info.default_task())));
}

// Servers that set no limits of their own send none.
std::string LimitsText(const v1::ModelInfo& info) {
  if (!info.has_cache_limits()) return "";
  const v1::CacheLimits& limits = info.cache_limits();
  return Row("cache limits",
             absl::StrFormat("budget %d tokens per layer, %d sink tokens, %d pinned spans",
                             limits.budget_tokens(), limits.sink_tokens(), limits.pinned_spans())) +
         Row("", absl::StrFormat("windows of %d, %d layers share, %d observation tokens, beta %d",
                                 limits.window_size(), limits.shared_layers(),
                                 limits.observation_tokens(), limits.beta()));
}

std::string SamplingText(const v1::SamplingParams& sampling) {
  return absl::StrFormat("temperature %g, top_k %d, top_p %g, max_tokens %d",
                         sampling.temperature(), sampling.top_k(), sampling.top_p(),
                         sampling.max_tokens());
}

std::string InfoText(const v1::ModelInfo& info) {
  return Row("model",
             absl::StrCat(info.name(), " (", info.architecture(), ", ", info.dtype(), ")")) +
         Row("layers", absl::StrCat(info.num_layers())) +
         Row("heads", absl::StrFormat("%d query, %d KV, %d wide", info.num_heads(),
                                      info.num_kv_heads(), info.head_dim())) +
         Row("vocabulary", absl::StrCat(info.vocab_size(), " tokens")) +
         Row("context", absl::StrCat(info.context_length(), " tokens")) +
         Row("chat template",
             info.chat_template().empty() ? "none: chat input is refused" : info.chat_template()) +
         Row("KV pool",
             absl::StrFormat("%s in blocks of %d tokens (%s)", BytesText(info.kv_pool_bytes()),
                             info.block_size(), BytesText(info.block_bytes()))) +
         CacheText(info) + LimitsText(info) +
         Row("default sampling", SamplingText(info.default_sampling()));
}

int RunInfo(const InfoFlags& flags, const CommandContext& context) {
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  auto info = (*client)->GetModelInfo(flags.connection.ToCallOptions(&context.interrupt));
  if (!info.ok()) return Fail(info.status(), context);
  context.out << (flags.json ? JsonLine(*info) : InfoText(*info)) << std::flush;
  return kExitDone;
}

}  // namespace

void AddInfoCommand(CLI::App* app, Command* chosen) {
  auto* command =
      app->add_subcommand("info", "Show the server's model, its limits and every default");
  auto flags = std::make_shared<InfoFlags>();
  AddConnectionFlags(command, kRouterTarget, "10s", &flags->connection);
  AddJsonFlag(command, &flags->json);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunInfo(*flags, context); };
  });
}

}  // namespace windowkv::client
