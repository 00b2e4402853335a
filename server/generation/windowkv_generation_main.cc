#include <cstdint>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "engine/base/model_name.h"
#include "engine/base/status.h"
#include "engine/cache_policy/policy.h"
#include "engine/runtime/engine.h"
#include "server/generation/engine_health.h"
#include "server/generation/generation_service.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/metrics_registry.h"
#include "server/metrics/prometheus_engine_metrics.h"
#include "server/rpc/build_version.h"
#include "server/rpc/logging.h"
#include "server/rpc/server_flags.h"
#include "server/rpc/server_process.h"
#include "server/rpc/shutdown_signals.h"

namespace windowkv {
namespace {

constexpr char kProgram[] = "windowkv-generation";

struct GenerationFlags {
  EngineConfig engine;
  absl::Duration health_timeout = absl::Seconds(8);
  absl::Duration slow_reader_timeout = absl::Seconds(60);
};

// A flag whose value is one of the words of `words`; `value` holds the default.
template <typename Enum>
void AddChoice(CLI::App* app, const std::string& name, Enum* value,
               const std::map<std::string, Enum>& words, const std::string& help) {
  std::string list;
  std::string default_word;
  for (const auto& [word, choice] : words) {
    list += (list.empty() ? "" : "|") + word;
    if (choice == *value) default_word = word;
  }
  auto choose = [name, value, words, list](const std::string& word) {
    const auto it = words.find(word);
    if (it == words.end()) throw CLI::ValidationError(name, "expected " + list + ", found " + word);
    *value = it->second;
  };
  app->add_option_function<std::string>(name, choose, help)
      ->type_name(list)
      ->default_str(default_word);
}

void AddModelFlags(CLI::App* app, GenerationFlags* flags) {
  EngineConfig* engine = &flags->engine;
  app->add_option("--model", engine->model_dir,
                  "Directory of a Llama checkpoint in Hugging Face layout")
      ->required();
  AddChoice<ComputeDtype>(app, "--dtype", &engine->dtype,
                          {{"auto", ComputeDtype::kAuto},
                           {"float32", ComputeDtype::kFloat32},
                           {"bfloat16", ComputeDtype::kBfloat16}},
                          "Number format of the computation; auto takes what is fastest on this "
                          "device for the checkpoint");
  app->add_option(
      "--device", engine->device,
      "Where the model runs: cpu, cuda, cuda:N, or auto, which takes a CUDA device when "
      "this program can and there is one");
  app->add_option("--cuda-graphs", engine->cuda_graphs,
                  "Launch each decode step on a CUDA device as one captured graph");
  app->add_option("--threads", engine->num_threads,
                  "Threads for the model's operations; 0: one per core")
      ->check(CLI::Range(0, 1024));
}

void AddCapacityFlags(CLI::App* app, EngineConfig* engine) {
  app->add_option(
         "--kv-pool-bytes", engine->kv_pool_bytes,
         "Memory for KV blocks; units such as 4GiB are understood; 0: 1GiB on the CPU, on a "
         "CUDA device what weights and activations leave free")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 50));
  app->add_option("--block-size", engine->block_size, "Tokens per KV block")
      ->check(CLI::Range(1, 1024));
  app->add_option("--max-running", engine->max_running, "Requests read or decoded at once")
      ->check(CLI::Range(1, 4096));
  app->add_option("--max-waiting", engine->max_waiting,
                  "Requests queued; one more is refused with RESOURCE_EXHAUSTED")
      ->check(CLI::Range(1, 1'000'000));
  app->add_option("--max-waiting-bytes", engine->max_waiting_bytes,
                  "Bytes of queued prompts; what exceeds them is refused likewise")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  app->add_option("--prefill-chunk", engine->prefill_chunk,
                  "Prompt rows of one layer in a prefill slice, the least that is read between two "
                  "decode steps; 0: 512 on the CPU, 2048 on a CUDA device")
      ->check(CLI::Range(0, 1 << 20));
}

void AddSchedulingFlags(ServerFlags* server, EngineConfig* engine) {
  CLI::App* app = &server->app();
  server->AddDuration("--max-queue-wait", &engine->max_queue_wait,
                      "A request that would wait longer, by the queue's pace, is refused with "
                      "RESOURCE_EXHAUSTED; 0s: none is for that");
  app->add_option("--max-reading", engine->max_reading,
                  "Prompts read at once, each with its activations and one layer's K and V")
      ->check(CLI::Range(1, 4096));
  app->add_option("--max-reading-tokens", engine->max_reading_tokens,
                  "Tokens of the prompts read at once; one alone may have more. 0: the model's "
                  "context, 65536 at least")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 32));
  app->add_option_function<double>(
         "--target-itl-ms", [engine](double ms) { engine->target_itl = absl::Milliseconds(ms); },
         "Inter-token latency in milliseconds that running requests keep while prompts are read, "
         "as "
         "far as one prefill slice allows; 0: twice their decode step")
      ->default_str("0")
      ->check(CLI::Range(0.0, 1e6))
      ->check(CLI::Validator(  // which a range is not for
          [](const std::string& text) {
            return text.find_first_of("nN") == std::string::npos ? "" : "not a number: " + text;
          },
          ""));
  server->AddDuration("--ageing", &engine->ageing,
                      "Waiting time that one level of a request's priority is worth");
  app->add_option("--max-preemptions", engine->max_preemptions,
                  "How often a running request may give its place to one of higher priority and be "
                  "recomputed; 0: never")
      ->check(CLI::Range(0, 1000));
}

void AddCacheFlags(CLI::App* app, CacheDefaults* cache) {
  AddChoice<CachePolicy>(app, "--policy", &cache->policy, PoliciesByName(),
                         "Cache policy of requests that name none");
  app->add_option("--budget-tokens", cache->budget_tokens,
                  "Default budget: prompt tokens kept per layer, mean over layers")
      ->check(CLI::Range(1, 1 << 24));
  app->add_option("--window-size", cache->window_size,
                  "Default window: consecutive tokens kept or dropped together")
      ->check(CLI::Range(1, 1024));
  app->add_option("--shared-layers", cache->shared_layers,
                  "Default number of layers that share a selection; 0: a quarter of the layers")
      ->check(CLI::Range(0, 4096));
  app->add_option("--beta", cache->beta,
                  "Default slope of the budgets over layer groups; 0: 14 / 8 of the layers that "
                  "share a selection, the paper's slope")
      ->check(CLI::Range(0, 1024));
  app->add_option("--sink-tokens", cache->sink_tokens,
                  "Default number of first prompt tokens that are always kept")
      ->check(CLI::Range(0, 1024));
  AddChoice<TaskMapping>(
      app, "--task-mapping", &cache->task_mapping,
      {{"paper", TaskMapping::kPaper}, {"reference", TaskMapping::kReference}},
      "Which strategy a task gets: as the paper says, or as its authors' code does");
  AddChoice<Task>(app, "--default-task", &cache->task,
                  {{"localization", Task::kLocalization}, {"aggregation", Task::kAggregation}},
                  "Task of requests that name none");
}

void AddLimitFlags(CLI::App* app, CacheLimits* limits) {
  app->add_option("--max-budget-tokens", limits->budget_tokens,
                  "Most prompt tokens per layer that a request may keep; 0: the context length")
      ->check(CLI::Range(0, 1 << 24));
  app->add_option("--max-window-size", limits->window_size, "Largest window a request may ask for")
      ->check(CLI::Range(1, 1024));
  app->add_option("--max-observation-tokens", limits->observation_tokens,
                  "Most observation tokens a request may ask for")
      ->check(CLI::Range(1, 512));
  app->add_option("--max-beta", limits->beta, "Largest beta a request may ask for")
      ->check(CLI::Range(1, 1024));
  app->add_option("--max-sink-tokens", limits->sink_tokens,
                  "Most sink tokens a request may ask for")
      ->check(CLI::Range(0, 1024));
  app->add_option("--max-pinned-spans", limits->pinned_spans,
                  "Most pinned spans a request may name")
      ->check(CLI::Range(0, 4096));
}

void AddFlags(ServerFlags* server, GenerationFlags* flags) {
  AddModelFlags(&server->app(), flags);
  AddCapacityFlags(&server->app(), &flags->engine);
  AddSchedulingFlags(server, &flags->engine);
  AddCacheFlags(&server->app(), &flags->engine.cache_defaults);
  AddLimitFlags(&server->app(), &flags->engine.cache_limits);
  server->AddDuration(
      "--health-timeout", &flags->health_timeout,
      "Unhealthy when a step of the engine takes this long; a step is a decode step "
      "and a few prefill slices, whatever a prompt's length; above 0");
  server->AddSlowReaderTimeout(&flags->slow_reader_timeout);
}

int Fail(const absl::Status& status) {
  std::cerr << kProgram << ": " << status.message() << "\n";
  return 1;
}

// Names the flag, too: a field of EngineConfig has the name of its flag.
int FailEngine(const absl::Status& status) {
  const std::optional<std::string> field = FieldOf(status);
  // A cache option's field is the one of a request.
  if (!field || absl::StrContains(*field, '.')) return Fail(status);
  return Fail(Annotate(status, "--" + absl::StrReplaceAll(*field, {{"_", "-"}})));
}

// Makes everything in the order of dependence and serves until a signal.
int Serve(const ServerOptions& options, const GenerationFlags& flags, ShutdownSignals& signals) {
  auto logger = Logger::Create(kProgram, options.log_level);
  if (!logger.ok()) return Fail(logger.status());
  if (flags.health_timeout <= absl::ZeroDuration()) {
    return Fail(absl::InvalidArgumentError("--health-timeout is 0, must be above 0"));
  }
  if (absl::Status status = ServerProcess::Check(options); !status.ok()) return Fail(status);
  MetricsRegistry registry;
  registry.AddBuildInfo(kProgram, std::string(BuildVersion()));
  std::vector<std::string> policies;
  for (const auto& [name, policy] : PoliciesByName()) policies.push_back(name);
  PrometheusEngineMetrics metrics(&registry, ModelName(flags.engine.model_dir), policies);
  auto engine = CreateEngine(flags.engine, &metrics);
  if (!engine.ok()) return FailEngine(engine.status());
  const ModelInfo& info = (*engine)->model_info();
  metrics.OnModelLoaded({.architecture = info.architecture,
                         .dtype = info.dtype,
                         .context_length = info.context_length,
                         .block_size = info.block_size});
  logger->Info("model loaded", {{"model", info.name},
                                {"dtype", info.dtype},
                                {"device", info.device},
                                {"context_length", info.context_length},
                                {"kv_pool_bytes", info.kv_pool_bytes}});
  SlowReaders slow_readers(flags.slow_reader_timeout, [&metrics] { metrics.OnSlowReader(); });
  GenerationServiceImpl service(engine->get(), &metrics, *logger, &slow_readers);
  EngineHealth health(engine->get(), flags.health_timeout, *logger);
  ServedProgram program{.services = {{v1::GenerationService::service_full_name(), &service}},
                        .is_healthy = [&] { return health.Check(); },
                        .has_failed = [&] { return health.HasFailed(); },
                        .drain = [&](absl::Duration timeout) { (*engine)->Drain(timeout); }};
  auto process = ServerProcess::Start(options, std::move(program), *logger);
  if (!process.ok()) return Fail(process.status());
  auto http = HttpEndpoint::Start({.host = options.http.host,
                                   .port = options.http.port,
                                   .metrics_text = [&registry] { return registry.Text(); },
                                   .is_live = [&process] { return (*process)->healthy(); },
                                   .is_ready = [&process] { return (*process)->serving(); }});
  if (!http.ok()) return Fail(Annotate(http.status(), "--http"));
  return (*process)->ServeUntilSignal({options.http.host, (*http)->port()}, signals);
}

int Main(int argc, char** argv) {
  auto signals = ShutdownSignals::Create();
  if (!signals.ok()) return Fail(signals.status());
  ServerFlags server(kProgram,
                     "Generates text from a Llama checkpoint with a KV cache whose size each "
                     "request chooses.",
                     "127.0.0.1:50051", "127.0.0.1:9101");
  GenerationFlags flags;
  AddFlags(&server, &flags);
  if (auto exit_code = server.Parse(argc, argv)) return *exit_code;
  return Serve(server.options(), flags, **signals);
}

}  // namespace
}  // namespace windowkv

int main(int argc, char** argv) { return windowkv::Main(argc, argv); }
