#include <algorithm>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/client.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/error_line.h"
#include "client/command_line/load_flags.h"
#include "client/command_line/load_run_report.h"
#include "client/command_line/progress_line.h"
#include "client/command_line/quantity_text.h"
#include "client/load/load_run.h"

namespace windowkv::client {
namespace {

constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

struct BenchLoadFlags {
  ConnectionFlags connection;
  LoadFlags load;
  bool json = false;
};

using Clients = std::vector<std::unique_ptr<Client>>;

// Asks every target, which also connects: the first request does not pay for that.
absl::StatusOr<std::vector<v1::ModelInfo>> AskModels(const Clients& clients,
                                                     const CallOptions& options) {
  std::vector<v1::ModelInfo> models;
  for (const std::unique_ptr<Client>& client : clients) {
    absl::StatusOr<v1::ModelInfo> model = client->GetModelInfo(options);
    if (!model.ok()) return model.status();
    models.push_back(*std::move(model));
  }
  return models;
}

// For generated prompts; the length of a given one is the server's to judge.
absl::Status CheckContexts(const LoadFlags& flags, const std::vector<v1::ModelInfo>& models) {
  const std::optional<LengthDistribution> outputs = flags.OutputTokens();
  const int most = flags.PromptTokens().max() + (outputs ? outputs->max() : 1);
  for (const v1::ModelInfo& model : models) {
    if (most <= model.context_length()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("prompt and output may have ", most, " tokens and do not fit the context of ",
                     model.name(), ", ", model.context_length(), " tokens"));
  }
  return absl::OkStatus();
}

std::string ProgressText(const LoadProgress& progress, const LoadPlan& plan) {
  const double share = std::max(
      static_cast<double>(progress.sent - progress.in_flight) / static_cast<double>(plan.requests),
      absl::FDivDuration(progress.elapsed, plan.duration));
  return absl::StrFormat("%s %s: %d sent, %d done, %d failed, %d in flight", ProgressBar(share),
                         DurationText(progress.elapsed), progress.sent, progress.completed,
                         progress.failed, progress.in_flight);
}

LoadResult Measure(const Clients& clients, const LoadRequests& requests, const LoadPlan& plan,
                   const CommandContext& context) {
  ProgressLine line(&context.err, context.err_is_terminal);
  ProgressReports progress;
  if (context.err_is_terminal) progress.interval = kProgressInterval;
  progress.report = [&](const LoadProgress& now) { line.Show(ProgressText(now, plan)); };
  MonotonicClock clock;
  LoadResult result = RunLoad(clients, requests, plan, &clock, &context.interrupt, progress);
  line.Clear();
  return result;
}

int ExitCodeOf(const LoadResult& result, const CommandContext& context) {
  if (result.interrupted) {
    context.err << "windowkv: interrupted" << std::endl;
    return kExitInterrupted;
  }
  if (!result.first_error) return kExitDone;
  context.err << "windowkv: first error: " << ErrorLine(*result.first_error) << std::endl;
  return result.completed == 0 && result.unreachable > 0 ? kExitUnreachable : kExitServerError;
}

int Report(const BenchLoadFlags& flags, const v1::ModelInfo& model, const LoadResult& result,
           const CommandContext& context) {
  LoadRunFacts facts{.model = model.name(),
                     .targets = flags.connection.target,
                     .arrivals = flags.load.Arrivals(),
                     .concurrency = flags.load.concurrency,
                     .seed = flags.load.seed,
                     .limits = flags.load.limits};
  if (flags.load.generates_prompts()) facts.prompt_tokens = flags.load.prompt_tokens;
  if (flags.load.OutputTokens()) facts.output_tokens = flags.load.output_tokens;
  context.out << (flags.json ? LoadRunJson(facts, result) : LoadRunText(facts, result))
              << std::flush;
  return ExitCodeOf(result, context);
}

int RunBenchLoad(const BenchLoadFlags& flags, const CommandContext& context) {
  auto request = flags.load.generates_prompts() ? BuildWithoutPrompt(flags.load.request)
                                                : BuildRequest(flags.load.request, context.in);
  if (!request.ok()) return FailUsage(request.status(), context);
  auto plan = flags.load.Plan(flags.connection.timeout);
  if (!plan.ok()) return FailUsage(plan.status(), context);
  plan->traceparent = flags.connection.traceparent;
  auto clients = flags.connection.ConnectAll();
  if (!clients.ok()) return FailUsage(clients.status(), context);

  const CallOptions options = flags.connection.ToCallOptions(&context.interrupt);
  auto models = AskModels(*clients, options);
  if (!models.ok()) return Fail(models.status(), context);
  LoadRequests::Config config{.seed = flags.load.seed,
                              .request = *request,
                              .output_tokens = flags.load.OutputTokens(),
                              .cancel_share = flags.load.cancel_share,
                              .cancel_within = flags.load.cancel_within};
  if (flags.load.generates_prompts()) {
    if (absl::Status fits = CheckContexts(flags.load, *models); !fits.ok()) {
      return FailUsage(fits, context);
    }
    auto generator = PromptGenerator::Measure(*request, *clients->front(), options);
    if (!generator.ok()) return Fail(generator.status(), context);
    config.prompts = {flags.load.PromptTokens(), *generator};
  }
  return Report(flags, models->front(),
                Measure(*clients, LoadRequests(std::move(config)), *plan, context), context);
}

}  // namespace

void AddBenchLoadCommand(CLI::App* bench, Command* chosen) {
  auto* command = bench->add_subcommand(
      "load",
      "Send many requests, at a rate or so many at a time, and report latencies, throughput and "
      "errors. Latencies count from when a request was due and are those of completed requests");
  auto flags = std::make_shared<BenchLoadFlags>();
  AddConnectionFlags(command, kRouterTarget, "10m", &flags->connection);
  command->get_option("--target")
      ->description("Servers to call, in turn")
      ->type_name("HOST:PORT,...");
  command->add_flag("--json", flags->json, "Print one JSON object, times in seconds")
      ->group("Output");
  AddLoadFlags(command, &flags->load);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunBenchLoad(*flags, context); };
  });
}

}  // namespace windowkv::client
