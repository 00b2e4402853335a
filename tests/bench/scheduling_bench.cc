// What the engine thread costs beside the model, and what it makes of many requests at once, as
// ratios within this run.
//
//   build/release/bin/scheduling_bench --model deploy/models/demo_llama

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "engine/runtime/model_runner.h"
#include "tests/bench/loop_driver.h"
#include "tests/testing/fake_batch_runner.h"
#include "tests/testing/last_state_metrics.h"

namespace windowkv::bench {
namespace {

struct Options {
  std::string model;
  int threads = 2;
};

void Row(const std::string& what, double value, const std::string& unit, bool at_least,
         double bound) {
  const bool holds = at_least ? value >= bound : value <= bound;
  std::cout << absl::StrFormat("| %-66s | %8.3f %-3s | %s %-6.3g | %s |\n", what, value, unit,
                               at_least ? ">=" : "<=", bound, holds ? "holds" : "MISSED")
            << std::flush;
}

// Milliseconds per step besides the model's work, with a model that does next to nothing but gives
// logits of the demo model's size.
void MeasureOverhead(const Options& options) {
  for (const auto& [sequences, bound] :
       std::vector<std::pair<int, double>>{{1, 0.1}, {64, 0.5}, {256, 1.5}}) {
    testing::FakeBatchRunner::Options fake;
    fake.geometry = {.num_layers = 2, .block_size = 16, .block_bytes = 64, .num_blocks = 1 << 16};
    fake.vocab_size = 8192;
    EngineLoop::Config config;
    config.num_layers = 2;
    config.scheduler.max_running = 256;
    config.scheduler.max_reading = 256;
    testing::LastStateMetrics metrics;
    LoopDriver driver(config, std::make_unique<testing::FakeBatchRunner>(fake), options.model,
                      &metrics);
    // Read when all is done: threads that wait for tokens would take the engine's processor.
    std::vector<std::shared_ptr<TokenStream>> streams;
    const absl::Duration start = MonotonicNow();
    for (int i = 0; i < sequences; ++i) streams.push_back(driver.Add({16, 1000}));
    driver.WaitUntilIdle();
    const double seconds = absl::ToDoubleSeconds(MonotonicNow() - start);
    const RunnerTimes times = driver.runner().times();
    Row(absl::StrFormat("engine thread beside the model, %d sequences, per step", sequences),
        (seconds - absl::ToDoubleSeconds(times.total)) / static_cast<double>(times.decode_steps) *
            1e3,
        "ms", /*at_least=*/false, bound);
  }
}

class DemoEngine {
 public:
  explicit DemoEngine(const Options& options, int64_t pool_bytes = int64_t{2} << 30) {
    ModelRunner::Config runner;
    runner.model_dir = options.model;
    runner.model = OrDie(LoadLlamaConfig(options.model));
    runner.dtype = at::kBFloat16;
    runner.kv_pool_bytes = pool_bytes;
    runner.num_threads = options.threads;
    EngineLoop::Config config;
    config.num_layers = runner.model.num_layers;
    driver_ = std::make_unique<LoopDriver>(config, OrDie(ModelRunner::Create(runner)),
                                           options.model, &metrics_);
  }
  LoopDriver& driver() { return *driver_; }

 private:
  testing::LastStateMetrics metrics_;
  std::unique_ptr<LoopDriver> driver_;
};

void MeasureThroughput(const Options& options) {
  constexpr int kClients = 32;
  const int output = SamplingParams().max_tokens;  // of a request that does not say
  double full_seconds = 0;
  for (const CachePolicy policy : {CachePolicy::kFull, CachePolicy::kWindowKv}) {
    DemoEngine engine(options);
    const bool compresses = policy == CachePolicy::kWindowKv;
    const LoopRequest request{2000, output, policy, compresses ? 256 : 0};
    engine.driver().ClosedLoop(4, 1, request);
    engine.driver().runner().Reset();
    const double seconds = engine.driver().ClosedLoop(kClients, 2, request);
    if (!compresses) {
      full_seconds = seconds;
      continue;
    }
    const double model_seconds = absl::ToDoubleSeconds(engine.driver().runner().times().total);
    Row("32 clients, 2,000-token prompts, WINDOWKV 256: of the model's own pace",
        model_seconds / seconds, "", /*at_least=*/true, 0.85);
    Row("the same against FULL", full_seconds / seconds, "", /*at_least=*/true, 1.5);
  }
}

void MeasureInterTokenLatency(const Options& options) {
  DemoEngine engine(options);
  const LoopRequest stream{200, 400, CachePolicy::kWindowKv, 256};
  const LoopRequest prompt{8000, 1, CachePolicy::kWindowKv, 256};
  const double idle = Percentile99(GapsOfStreams(engine.driver(), 16, stream, std::nullopt));
  engine.driver().runner().Reset();
  const double busy = Percentile99(GapsOfStreams(engine.driver(), 16, stream, prompt));
  const double slice = absl::ToDoubleSeconds(engine.driver().runner().times().longest_slice);
  Row("p99 gap of 16 streams while 8k prompts arrive, of 2x idle and a slice",
      busy / (2 * idle + slice), "", /*at_least=*/false, 1);
}

void MeasureAdmission(const Options& options) {
  BenchModel model(options.model, at::kBFloat16, options.threads);
  const std::vector<int32_t> ids(8000, 100);
  const auto admitted = [&](CachePolicy policy) {
    std::vector<std::unique_ptr<Sequence>> sequences;
    do {
      sequences.push_back(model.Admit(ids, 8000, policy, 256, 64));
    } while (sequences.back()->cache);
    return static_cast<double>(sequences.size() - 1);
  };
  const double full = admitted(CachePolicy::kFull);
  Row("requests of 8,000 tokens admitted, WINDOWKV 256 against FULL",
      admitted(CachePolicy::kWindowKv) / full, "", /*at_least=*/true, 20);
}

// From cancelling a prompt of 8,000 tokens that is being read to its blocks' return, of the longest
// step: decoding for nobody and some slices.
void MeasureCancellation(const Options& options) {
  DemoEngine engine(options);
  LoopDriver& driver = engine.driver();
  LoopDriver::ReadAll(*driver.Add({8000, 1, CachePolicy::kWindowKv, 256}));
  const int64_t free = driver.loop().available_blocks();
  std::vector<double> seconds;
  for (int i = 0; i < 20; ++i) {
    const auto stream = driver.Add({8000, 1, CachePolicy::kFull, 0});
    while (!std::holds_alternative<ProgressEvent>(*stream->Next())) {
    }
    const absl::Duration start = MonotonicNow();
    stream->Cancel();
    while (!IsLast(*stream->Next())) {
    }
    seconds.push_back(absl::ToDoubleSeconds(MonotonicNow() - start));
    if (driver.loop().available_blocks() != free) OrDie<int>(absl::InternalError("blocks leaked"));
  }
  // A step that reads alone takes 25 ms or a slice.
  const double step = std::max(0.025, absl::ToDoubleSeconds(driver.runner().times().longest_slice));
  Row("from cancelling a prompt being read to its blocks' return, of a step",
      Median(std::move(seconds)) / step, "", /*at_least=*/false, 1);
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures the engine thread and the scheduler; ratios within one run.");
  app.add_option("--model", options.model, "checkpoint directory")->required();
  app.add_option("--threads", options.threads, "threads of the model's operations");
  CLI11_PARSE(app, argc, argv);
  MeasureOverhead(options);
  MeasureThroughput(options);
  MeasureInterTokenLatency(options);
  MeasureAdmission(options);
  MeasureCancellation(options);
  return 0;
}

}  // namespace
}  // namespace windowkv::bench

int main(int argc, char** argv) { return windowkv::bench::Main(argc, argv); }
