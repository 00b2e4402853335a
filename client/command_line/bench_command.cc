#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_format.h"
#include "client/client.h"
#include "client/command_line/bench_runner.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"
#include "client/command_line/quantity_text.h"
#include "client/command_line/request_flags.h"

namespace windowkv::client {
namespace {

struct BenchFlags {
  ConnectionFlags connection;
  RequestFlags request;
  int concurrency = 1;
  int requests = 16;
  bool json = false;
};

std::string LatencyRow(const std::string& name, const LatencySummary& latency) {
  return absl::StrFormat("%-20s %10s %10s %10s %10s\n", name, DurationText(latency.Mean()),
                         DurationText(latency.Percentile(0.5)),
                         DurationText(latency.Percentile(0.9)),
                         DurationText(latency.Percentile(0.99)));
}

std::string BenchText(const BenchResult& result, int concurrency) {
  std::string text = absl::StrFormat(
      "%d requests done, %d at a time, in %s: %d prompt tokens, %d output tokens, %.1f output "
      "tokens/s\n%-20s %10s %10s %10s %10s\n",
      result.completed, concurrency, DurationText(result.wall), result.prompt_tokens,
      result.output_tokens, result.OutputTokensPerSecond(), "", "mean", "p50", "p90", "p99");
  text += LatencyRow("time to first token", result.time_to_first_token);
  text += LatencyRow("inter-token latency", result.inter_token);
  text += LatencyRow("end to end", result.end_to_end);
  for (const auto& [code, count] : result.errors) {
    absl::StrAppendFormat(&text, "%d failed with %s\n", count, code);
  }
  return text;
}

nlohmann::json LatencyJson(const LatencySummary& latency) {
  return {{"count", latency.count()},
          {"mean", absl::ToDoubleSeconds(latency.Mean())},
          {"p50", absl::ToDoubleSeconds(latency.Percentile(0.5))},
          {"p90", absl::ToDoubleSeconds(latency.Percentile(0.9))},
          {"p99", absl::ToDoubleSeconds(latency.Percentile(0.99))}};
}

std::string BenchJson(const BenchResult& result, int concurrency) {
  const nlohmann::json json = {
      {"completed", result.completed},
      {"concurrency", concurrency},
      {"errors", result.errors},
      {"wall_seconds", absl::ToDoubleSeconds(result.wall)},
      {"prompt_tokens", result.prompt_tokens},
      {"output_tokens", result.output_tokens},
      {"output_tokens_per_second", result.OutputTokensPerSecond()},
      {"time_to_first_token_seconds", LatencyJson(result.time_to_first_token)},
      {"inter_token_latency_seconds", LatencyJson(result.inter_token)},
      {"end_to_end_seconds", LatencyJson(result.end_to_end)}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

int ExitCodeOf(const BenchResult& result, const CommandContext& context) {
  if (context.interrupt.cancelled()) {
    context.err << "windowkv: interrupted" << std::endl;
    return kExitInterrupted;
  }
  if (result.errors.empty()) return kExitDone;
  context.err << "windowkv: first error: " << result.first_error << std::endl;
  return result.completed == 0 && result.unreachable > 0 ? kExitUnreachable : kExitServerError;
}

int RunBenchCommand(const BenchFlags& flags, const CommandContext& context) {
  auto request = BuildRequest(flags.request, context.in);
  if (!request.ok()) return FailUsage(request.status(), context);
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  const BenchResult result = RunBench(**client, *request, flags.concurrency, flags.requests,
                                      flags.connection.ToCallOptions(&context.interrupt));
  context.out << (flags.json ? BenchJson(result, flags.concurrency)
                             : BenchText(result, flags.concurrency))
              << std::flush;
  return ExitCodeOf(result, context);
}

}  // namespace

void AddBenchCommand(CLI::App* app, Command* chosen) {
  auto* command = app->add_subcommand("bench",
                                      "Send the same request many times and report latencies and "
                                      "tokens per second; `bench quality` "
                                      "compares cache policies instead");
  auto flags = std::make_shared<BenchFlags>();
  AddConnectionFlags(command, kRouterTarget, "10m", &flags->connection);
  command->add_option("--concurrency", flags->concurrency, "Requests in flight; [1, 1024]")
      ->type_name("INT")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str()
      ->group("Load");
  command->add_option("--requests", flags->requests, "Requests in all; [1, 1000000]")
      ->type_name("INT")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->group("Load");
  AddJsonFlag(command, &flags->json);
  AddRequestFlags(command, &flags->request);
  AddBenchQualityCommand(command, chosen);
  command->callback([flags, chosen, command] {
    if (!command->get_subcommands().empty()) return;  // that one has been chosen
    *chosen = [flags](const CommandContext& context) { return RunBenchCommand(*flags, context); };
  });
}

}  // namespace windowkv::client
