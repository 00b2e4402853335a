#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "classifier_service/bert_task_classifier.h"
#include "classifier_service/classification_queue.h"
#include "classifier_service/classifier_rpc.h"
#include "engine/base/model_name.h"
#include "engine/base/status.h"
#include "server/metrics/classifier_metrics.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/metrics_registry.h"
#include "server/rpc/build_version.h"
#include "server/rpc/logging.h"
#include "server/rpc/server_flags.h"
#include "server/rpc/server_process.h"
#include "server/rpc/shutdown_signals.h"
#include "server/rpc/slow_readers.h"

namespace windowkv {
namespace {

constexpr int kServerError = 1;
// A few texts take milliseconds to seconds; a classifier that is at them for longer hangs.
constexpr absl::Duration kStalledAfter = absl::Seconds(30);

struct ClassifierOptions {
  ServerOptions server;
  std::string dtype = "float32";
  BertTaskClassifierConfig classifier;
  ClassificationQueue::Limits limits;
  absl::Duration slow_reader_timeout = absl::Seconds(60);
};

void AddFlags(ServerFlags& flags, ClassifierOptions& options) {
  CLI::App& app = flags.app();
  app.add_option(
         "--model", options.classifier.model_dir,
         "Directory of a BERT checkpoint with a classification head, in Hugging Face layout")
      ->required();
  app.add_option("--dtype", options.dtype,
                 "What the encoder computes in; auto: bfloat16 where the processor is fast at it")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}));
  app.add_option("--threads", options.classifier.threads, "Threads of the encoder; 0: one per core")
      ->check(CLI::Range(0, 1024));
  app.add_option("--max-waiting-texts", options.limits.waiting_texts,
                 "Texts that may wait before further calls get RESOURCE_EXHAUSTED")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--max-waiting-bytes", options.limits.waiting_bytes,
                 "The same for the bytes of those texts; units such as 64MiB are understood")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  app.add_option("--max-streams", options.limits.streams,
                 "Bulk streams with unanswered texts before further ones get RESOURCE_EXHAUSTED")
      ->check(CLI::Range(1, 1 << 16));
  flags.AddSlowReaderTimeout(&options.slow_reader_timeout);
}

EncoderDtype ToEncoderDtype(const std::string& name) {
  if (name == "auto") return EncoderDtype::kAuto;
  return name == "bfloat16" ? EncoderDtype::kBfloat16 : EncoderDtype::kFloat32;
}

absl::StatusOr<int> Serve(const ClassifierOptions& options, const Logger& logger,
                          ShutdownSignals& signals) {
  WINDOWKV_RETURN_IF_ERROR(ServerProcess::Check(options.server));
  WINDOWKV_ASSIGN_OR_RETURN(const auto classifier, LoadBertTaskClassifier(options.classifier));
  const std::string model = ModelName(options.classifier.model_dir);
  MetricsRegistry registry;
  registry.AddBuildInfo(options.server.program, std::string(BuildVersion()));
  ClassifierMetrics metrics(&registry, model);
  ClassificationQueue queue(classifier.get(), options.limits);
  SlowReaders slow_readers(options.slow_reader_timeout, [&metrics] { metrics.OnSlowReader(); });
  ClassifierRpc rpc(&queue, &metrics, &slow_readers, logger, model);

  ServedProgram program;
  program.services = {{v1::ClassifierService::service_full_name(), &rpc}};
  program.is_healthy = [&queue] { return queue.BusyFor() < kStalledAfter; };
  program.drain = [&rpc](absl::Duration timeout) { rpc.Drain(timeout); };
  WINDOWKV_ASSIGN_OR_RETURN(const auto process,
                            ServerProcess::Start(options.server, std::move(program), logger));

  HttpEndpoint::Config http;
  http.host = options.server.http.host;
  http.port = options.server.http.port;
  http.metrics_text = [&registry] { return registry.Text(); };
  http.is_live = [&process] { return process->healthy(); };
  http.is_ready = [&process] { return process->serving(); };
  const auto endpoint = HttpEndpoint::Start(std::move(http));
  if (!endpoint.ok()) return Annotate(endpoint.status(), "--http");
  return process->ServeUntilSignal({options.server.http.host, (*endpoint)->port()}, signals);
}

int Main(int argc, char** argv) {
  auto signals = ShutdownSignals::Create();
  if (!signals.ok()) {
    std::cerr << "windowkv-classifier: " << signals.status().message() << "\n";
    return kServerError;
  }
  ClassifierOptions options;
  ServerFlags flags("windowkv-classifier", "Says what kind of task a prompt is, over gRPC.",
                    "127.0.0.1:50052", "127.0.0.1:9102");
  AddFlags(flags, options);
  if (const auto exit_code = flags.Parse(argc, argv)) return *exit_code;
  options.server = flags.options();
  options.classifier.dtype = ToEncoderDtype(options.dtype);

  const auto logger = Logger::Create(options.server.program, options.server.log_level);
  const auto exit_code =
      logger.ok() ? Serve(options, *logger, **signals) : absl::StatusOr<int>(logger.status());
  if (exit_code.ok()) return *exit_code;
  std::cerr << "windowkv-classifier: " << exit_code.status().message() << "\n";
  return kServerError;
}

}  // namespace
}  // namespace windowkv

int main(int argc, char** argv) { return windowkv::Main(argc, argv); }
