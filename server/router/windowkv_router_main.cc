#include <algorithm>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/metrics_registry.h"
#include "server/metrics/router_metrics.h"
#include "server/router/backend_pool.h"
#include "server/router/load_poller.h"
#include "server/router/router_services.h"
#include "server/router/task_decider.h"
#include "server/rpc/build_version.h"
#include "server/rpc/server_flags.h"
#include "server/rpc/server_process.h"
#include "server/rpc/tls_credentials.h"

namespace windowkv {
namespace {

constexpr char kProgram[] = "windowkv-router";
constexpr int kBadUsage = 2;

struct RouterFlags {
  std::vector<std::string> generation = {"127.0.0.1:50051"};
  LoadPoller::Options poll;
  TaskDecider::Options task = {.classifiers = {"127.0.0.1:50052"}};
  std::string default_task = "localization";
  int max_retries = 2;
  int64_t max_waiting_bytes = int64_t{128} << 20;
  absl::Duration slow_reader_timeout = absl::Seconds(60);
  PeerTlsFiles backend_tls;
  std::string backend_tls_name;
};

void AddBackendTlsFlags(CLI::App* app, RouterFlags* values) {
  app->add_option("--backend-tls-ca", values->backend_tls.authority_file,
                  "PEM authority: backends and classifiers are called over TLS, and must have a "
                  "certificate from it; without it they are called in plain text");
  app->add_option("--backend-tls-cert", values->backend_tls.certificate_file,
                  "PEM certificate chain of the router, for those that ask for one");
  app->add_option("--backend-tls-key", values->backend_tls.key_file,
                  "PEM private key of --backend-tls-cert");
  app->add_option("--backend-tls-name", values->backend_tls_name,
                  "Host name that the certificates of backends and classifiers must be for; by "
                  "default the one in each address");
}

void AddRouterFlags(ServerFlags* flags, RouterFlags* values) {
  flags->app()
      .add_option("--generation", values->generation,
                  "Generation backends, HOST:PORT,HOST:PORT,...; at least one")
      ->delimiter(',')
      ->type_name("HOST:PORT,...");
  flags->app()
      .add_option("--classifier", values->task.classifiers,
                  "Task classifiers, HOST:PORT,HOST:PORT,...; with \"\" there is none and every "
                  "request that "
                  "needs a task takes --default-task")
      ->delimiter(',')
      ->type_name("HOST:PORT,...");
  flags->app()
      .add_option("--default-task", values->default_task,
                  "Task of a request when no classifier answers, or none is sure enough")
      ->check(CLI::IsMember({"localization", "aggregation"}));
  flags->app().add_option(
      "--min-task-confidence", values->task.min_confidence,
      "How sure a classifier must be for its verdict to be followed, 0 to 1; below it "
      "a request takes --default-task");
  flags->app()
      .add_option("--task-cache-entries", values->task.cache.max_entries,
                  "Texts whose task is kept, 10 minutes at most and as hashes, so that one that "
                  "comes again is not classified again; 0 keeps none")
      ->check(CLI::Range(0, 1'000'000));
  flags->AddDuration("--classifier-timeout", &values->task.timeout,
                     "How long a request waits for its task, above 0");
  flags->AddDuration("--load-interval", &values->poll.interval,
                     "Time between two load reports of a backend, 10ms to 1m");
  flags->app()
      .add_option("--max-retries", values->max_retries,
                  "Other backends tried when one is unavailable or full before its first message")
      ->check(CLI::Range(0, 16));
  flags->app()
      .add_option(
          "--max-waiting-bytes", values->max_waiting_bytes,
          "Bytes of prompts that no backend has begun to read, at most; one more is refused "
          "with RESOURCE_EXHAUSTED. Each is held about twice; units such as 128MiB are "
          "understood")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(int64_t{1} << 20, int64_t{1} << 50));
  flags->AddSlowReaderTimeout(&values->slow_reader_timeout);
  AddBackendTlsFlags(&flags->app(), values);
}

absl::Status CheckTargets(const char* flag, const std::vector<std::string>& targets) {
  std::set<std::string> seen;
  for (const std::string& target : targets) {
    const auto address = ParseHostPort(target);
    if (!address.ok()) return Annotate(address.status(), flag);
    if (address->port == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, ": \"", target, "\" needs a port above 0"));
    }
    // Its load would be counted twice, and a retry go to itself.
    if (!seen.insert(address->ToString()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, ": \"", target, "\" is there twice, must be once"));
    }
  }
  return absl::OkStatus();
}

absl::Status Validate(RouterFlags* flags) {
  // `--classifier ""` says: none.
  std::erase(flags->task.classifiers, "");
  std::erase(flags->generation, "");
  if (flags->generation.empty()) return absl::InvalidArgumentError("--generation names no backend");
  WINDOWKV_RETURN_IF_ERROR(CheckTargets("--generation", flags->generation));
  WINDOWKV_RETURN_IF_ERROR(CheckTargets("--classifier", flags->task.classifiers));
  if (flags->poll.interval < absl::Milliseconds(10) || flags->poll.interval > absl::Minutes(1)) {
    return absl::InvalidArgumentError(absl::StrCat("--load-interval is ",
                                                   absl::FormatDuration(flags->poll.interval),
                                                   ", must be in [10ms, 1m]"));
  }
  if (flags->task.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("--classifier-timeout is 0, must be above 0");
  }
  const double confidence = flags->task.min_confidence;
  if (!(confidence >= 0 && confidence <= 1)) {  // also NaN
    return absl::InvalidArgumentError(
        absl::StrCat("--min-task-confidence is ", confidence, ", must be in [0, 1]"));
  }
  if (!flags->backend_tls_name.empty() && flags->backend_tls.authority_file.empty()) {
    return absl::InvalidArgumentError("--backend-tls-name needs --backend-tls-ca");
  }
  flags->task.default_task =
      flags->default_task == "aggregation" ? v1::TASK_AGGREGATION : v1::TASK_LOCALIZATION;
  return absl::OkStatus();
}

int Fail(const absl::Status& status) {
  std::cerr << kProgram << ": " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? kBadUsage : 1;
}

// Makes everything in the order of dependence and serves until a signal.
int Serve(const ServerOptions& options, const RouterFlags& flags, ShutdownSignals& signals) {
  auto logger = Logger::Create(kProgram, options.log_level);
  if (!logger.ok()) return Fail(logger.status());
  if (absl::Status status = ServerProcess::Check(options); !status.ok()) return Fail(status);
  auto credentials = MakePeerCredentials(flags.backend_tls);
  if (!credentials.ok()) return Fail(credentials.status());
  const ServerChannelOptions channel = {*std::move(credentials), flags.backend_tls_name};
  MetricsRegistry registry;
  registry.AddBuildInfo(kProgram, std::string(BuildVersion()));
  RouterMetrics metrics(&registry);
  BackendPool pool(flags.generation, &metrics, *logger, channel);
  TaskDecider::Options task = flags.task;
  task.channel = channel;
  TaskDecider decider(std::move(task), &metrics);
  LoadPoller poller(&pool, flags.poll);
  OpenRelays open_relays(flags.max_waiting_bytes);
  SlowReaders slow_readers(flags.slow_reader_timeout, [&metrics] { metrics.OnSlowReader(); });
  RoutedGenerationService generation({.pool = &pool,
                                      .decider = &decider,
                                      .metrics = &metrics,
                                      .open_relays = &open_relays,
                                      .slow_readers = &slow_readers,
                                      .logger = *logger,
                                      .max_retries = flags.max_retries});
  BackendListService backends(&pool);
  poller.PollNow();  // so that the first request after the ready line finds its backend
  ServedProgram program{.services = {{v1::GenerationService::service_full_name(), &generation},
                                     {v1::RouterService::service_full_name(), &backends}},
                        .is_healthy = [&pool] { return pool.AnyHealthy(); },
                        .health_interval = std::min(flags.poll.interval, absl::Seconds(1)),
                        .drain = [&](absl::Duration timeout) { open_relays.Drain(timeout); }};
  auto process = ServerProcess::Start(options, std::move(program), *logger);
  if (!process.ok()) return Fail(process.status());
  auto http = HttpEndpoint::Start({.host = options.http.host,
                                   .port = options.http.port,
                                   .metrics_text = [&registry] { return registry.Text(); },
                                   // Backends that are down are no reason to restart the router.
                                   .is_live = [] { return true; },
                                   .is_ready = [&process] { return (*process)->serving(); }});
  if (!http.ok()) return Fail(Annotate(http.status(), "--http"));
  return (*process)->ServeUntilSignal({options.http.host, (*http)->port()}, signals);
}

int Main(int argc, char** argv) {
  auto signals = ShutdownSignals::Create();
  if (!signals.ok()) return Fail(signals.status());
  ServerFlags flags(kProgram,
                    "The address that clients use: classifies a request's task, picks a generation "
                    "backend and forwards the stream.",
                    "127.0.0.1:50050", "127.0.0.1:9100");
  RouterFlags values;
  AddRouterFlags(&flags, &values);
  if (auto exit_code = flags.Parse(argc, argv)) return *exit_code;
  if (absl::Status status = Validate(&values); !status.ok()) return Fail(status);
  return Serve(flags.options(), values, **signals);
}

}  // namespace
}  // namespace windowkv

int main(int argc, char** argv) { return windowkv::Main(argc, argv); }
