// Measures the engine on a checkpoint: one JSON object per line on stdout, as peer_transformers.py
// prints them, so that compare.py can set them side by side.
//   {"what": "prefill", "tokens", "seconds", "selection_seconds"}   arrival to first token,
//   WINDOWKV
//   {"what": "prefill_memory", "tokens", "bytes", "receipt_bytes", "pool_bytes"}
//   {"what": "decode_step", "policy", "cached_tokens", "batch", "seconds"}
//   {"what": "request", "seconds"}                                  a request of one token, median

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/monotonic_clock.h"
#include "engine/runtime/engine.h"
#include "tests/bench/bench_model.h"
#include "tests/testing/last_state_metrics.h"

namespace windowkv {
namespace {

using nlohmann::json;

struct Options {
  std::string model;
  std::string ids;
  std::string dtype = "bfloat16";
  int threads = 2;
  std::vector<int> prefill_tokens = {2000, 6000, 8000};
  int runs = 5;
  int decode_tokens = 8000;
  int decode_steps = 48;
  int budget = 256;
  int requests = 200;
};

void Report(const json& line) { std::cout << line.dump() << std::endl; }

// VmRSS, or VmHWM: the highest value since it was last reset.
int64_t ResidentBytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(field + ":", 0) == 0) return std::stoll(line.substr(field.size() + 1)) * 1024;
  }
  return 0;
}

void ResetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

GenerationRequest Prompt(const std::vector<int32_t>& ids, size_t tokens, const Options& options,
                         bool compress) {
  GenerationRequest request;
  request.prompt = PromptTokens(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(tokens));
  request.sampling.max_tokens = 1;
  request.sampling.ignore_eos = true;
  if (compress) {
    request.cache.policy = CachePolicy::kWindowKv;
    request.cache.budget = BudgetTokens{options.budget};
  }
  return request;
}

FinishedEvent Run(Engine& engine, GenerationRequest request) {
  const std::shared_ptr<TokenStream> stream = bench::OrDie(engine.Submit(std::move(request)));
  while (true) {
    std::optional<StreamEvent> event = stream->Next();
    if (auto* finished = std::get_if<FinishedEvent>(&*event)) return *finished;
    if (auto* status = std::get_if<absl::Status>(&*event)) {
      std::cerr << *status << "\n";
      std::exit(1);
    }
  }
}

void MeasurePrefillMemory(Engine& engine, const std::vector<int32_t>& ids, const Options& options) {
  Run(engine, Prompt(ids, 64, options, true));
  ResetPeak();
  const int64_t before = ResidentBytes("VmRSS");
  const FinishedEvent finished = Run(engine, Prompt(ids, options.decode_tokens, options, true));
  Report({{"what", "prefill_memory"},
          {"tokens", options.decode_tokens},
          {"bytes", ResidentBytes("VmHWM") - before},
          {"receipt_bytes", finished.receipt.bytes_prefill_peak},
          {"full_bytes", finished.receipt.bytes_full},
          {"kept_bytes", finished.receipt.bytes_kept}});
}

void MeasurePrefill(Engine& engine, const std::vector<int32_t>& ids, const Options& options) {
  for (int tokens : options.prefill_tokens) {
    Run(engine, Prompt(ids, tokens, options, true));
    std::vector<double> seconds;
    std::vector<double> selection;
    for (int i = 0; i < options.runs; ++i) {
      const FinishedEvent finished = Run(engine, Prompt(ids, tokens, options, true));
      seconds.push_back(absl::ToDoubleSeconds(finished.usage.time_to_first_token));
      selection.push_back(absl::ToDoubleSeconds(finished.receipt.selection_time));
    }
    Report({{"what", "prefill"},
            {"tokens", tokens},
            {"seconds", bench::Median(seconds)},
            {"selection_seconds", bench::Median(selection)}});
  }
}

void MeasureRequests(Engine& engine, const std::vector<int32_t>& ids, const Options& options) {
  std::vector<double> seconds;
  for (int i = 0; i < options.requests; ++i) {
    const absl::Duration start = MonotonicNow();
    Run(engine, Prompt(ids, 16, options, false));
    seconds.push_back(absl::ToDoubleSeconds(MonotonicNow() - start));
  }
  Report({{"what", "request"}, {"seconds", bench::Median(seconds)}});
}

void MeasureDecode(const Options& options, const std::vector<int32_t>& ids, CachePolicy policy,
                   int batch_size) {
  const at::ScalarType dtype = options.dtype == "float32" ? at::kFloat : at::kBFloat16;
  bench::BenchModel model(options.model, dtype, options.threads);
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (int i = 0; i < batch_size; ++i) {
    sequences.push_back(
        model.Admit(ids, options.decode_tokens, policy, options.budget, options.decode_steps + 8));
    model.Read(*sequences.back());
  }
  Report({{"what", "decode_step"},
          {"policy", PolicyOf(policy).name()},
          {"cached_tokens", options.decode_tokens},
          {"batch", batch_size},
          {"seconds", model.DecodeSeconds(sequences, options.decode_steps)}});
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures the engine; JSON lines on stdout.");
  app.add_option("--model", options.model, "checkpoint directory")->required();
  app.add_option("--ids", options.ids, "JSON array of prompt token ids")->required();
  app.add_option("--dtype", options.dtype, "bfloat16 or float32");
  app.add_option("--threads", options.threads, "threads of the model's operations");
  app.add_option("--prefill-tokens", options.prefill_tokens, "prompt lengths")->delimiter(',');
  app.add_option("--runs", options.runs, "timed prefills per length");
  app.add_option("--decode-tokens", options.decode_tokens, "prompt length before decoding");
  app.add_option("--decode-steps", options.decode_steps, "timed steps");
  app.add_option("--budget", options.budget, "WINDOWKV budget, mean tokens per layer");
  app.add_option("--requests", options.requests, "timed requests of one token");
  CLI11_PARSE(app, argc, argv);
  std::ifstream file(options.ids);
  const auto ids = json::parse(file).get<std::vector<int32_t>>();

  testing::LastStateMetrics metrics;
  EngineConfig config;
  config.model_dir = options.model;
  config.dtype = options.dtype == "float32" ? ComputeDtype::kFloat32 : ComputeDtype::kBfloat16;
  config.num_threads = options.threads;
  {
    const std::unique_ptr<Engine> engine = bench::OrDie(CreateEngine(config, &metrics));
    MeasurePrefillMemory(*engine, ids, options);
    MeasurePrefill(*engine, ids, options);
    MeasureRequests(*engine, ids, options);
  }
  MeasureDecode(options, ids, CachePolicy::kFull, 1);
  MeasureDecode(options, ids, CachePolicy::kWindowKv, 1);
  MeasureDecode(options, ids, CachePolicy::kWindowKv, 8);
  return 0;
}

}  // namespace
}  // namespace windowkv

int main(int argc, char** argv) { return windowkv::Main(argc, argv); }
