// What the engine reaches on an NVIDIA GPU, each figure beside a bound or a peer measured in the
// same run: the device's copy bandwidth, its rate of matrix products, LibTorch's own operations.
//
//   tests/gpu/run.sh cuda_bench --model DIR      DIR: as tests/gpu/make_random_llama.py writes it

#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "engine/cache_policy/policy.h"
#include "engine/kernels/cuda_device.h"
#include "tests/bench/bench_model.h"
#include "tests/bench/cuda_operations.h"
#include "tests/bench/device_bounds.h"
#include "tests/bench/loop_driver.h"
#include "tests/testing/last_state_metrics.h"

namespace windowkv::bench {
namespace {

constexpr int kOutput = 256;

struct Options {
  std::string model;
  std::vector<std::string> only;
  int device = 0;
  int prefill_chunk = 2048;
  std::vector<int> batches = {1, 4, 16, 64};
};

double LayerWeights(const LlamaConfig& config) {
  const double width = static_cast<double>(config.num_heads) * config.head_dim;
  const double kv_width = static_cast<double>(config.num_kv_heads) * config.head_dim;
  return config.hidden_size * (2 * width + 2 * kv_width + 3.0 * config.intermediate_size);
}

// Of what a decode step reads: every layer and the output projection.
double WeightBytes(const LlamaConfig& config) {
  return 2 * (config.num_layers * LayerWeights(config) +
              static_cast<double>(config.vocab_size) * config.hidden_size);
}

// Two for each multiply-add: all rows through all layers, but for the last layer's attention and
// feed-forward, which only the last row needs; attention sees half of the pairs.
double PrefillFlops(const LlamaConfig& config, double tokens) {
  const double width = static_cast<double>(config.num_heads) * config.head_dim;
  const double kv_width = static_cast<double>(config.num_kv_heads) * config.head_dim;
  const double layers = config.num_layers - 1;
  return 2 * (layers * tokens * LayerWeights(config) + tokens * 2 * kv_width * config.hidden_size +
              layers * tokens * tokens * width);
}

ModelRunner::Config RunnerConfig(const Options& options, int64_t pool_bytes, bool graphs = true) {
  ModelRunner::Config config;
  config.model_dir = options.model;
  config.model = OrDie(LoadLlamaConfig(options.model));
  config.dtype = at::kBFloat16;
  config.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(options.device));
  config.kv_pool_bytes = pool_bytes;
  config.prefill_chunk = options.prefill_chunk;
  config.num_threads = 8;
  config.capture_decode = graphs;
  return config;
}

std::vector<int32_t> PromptIds(const LlamaConfig& config, int tokens) {
  std::vector<int32_t> ids(static_cast<size_t>(tokens));
  for (int i = 0; i < tokens; ++i) ids[i] = (i * 7919 + i / 3) % config.vocab_size;
  return ids;
}

using Sequences = std::vector<std::unique_ptr<Sequence>>;

// `count` sequences that have been read, with `budget` of their `tokens` kept.
Sequences ReadSequences(BenchModel& model, int count, int tokens, CachePolicy policy, int budget,
                        int max_tokens = kOutput) {
  const std::vector<int32_t> ids = PromptIds(model.config(), tokens);
  Sequences sequences;
  for (int i = 0; i < count; ++i) {
    sequences.push_back(model.Admit(ids, tokens, policy, budget, max_tokens));
    model.Read(*sequences.back());
  }
  return sequences;
}

double CachedBytes(const Sequences& sequences, const KvCacheManager& manager) {
  double blocks = 0;
  for (const auto& sequence : sequences) {
    blocks += static_cast<double>(sequence->cache->held_blocks());
  }
  return blocks * static_cast<double>(manager.geometry().block_bytes);
}

void MeasureDecode(BenchModel& model, const std::vector<int>& batches, const Bounds& bounds) {
  for (const auto& [batch, tokens, budget, must] :
       std::vector<std::tuple<int, int, int, std::string>>{{1, kLongPrompt, 512, "<= 1.15"},
                                                           {4, 2048, 1024, ""},
                                                           {16, 2048, 1024, ""},
                                                           {64, 2048, 1024, "<= 1.3"}}) {
    if (std::ranges::find(batches, batch) == batches.end()) continue;
    Sequences sequences = ReadSequences(model, batch, tokens, CachePolicy::kWindowKv, budget);
    model.DecodeSeconds(sequences, 5);
    const double seconds = model.DecodeSeconds(sequences, 60);
    const double bound = (WeightBytes(model.config()) + CachedBytes(sequences, model.manager())) /
                         bounds.bytes_per_second;
    const std::string what =
        absl::StrFormat("decode step, batch %d, %d tokens at budget %d", batch, tokens, budget);
    Row(what, seconds * 1e3, "ms", "");
    Row(what, seconds / bound, "of its bytes' bound", must);
  }
}

void MeasurePrefill(BenchModel& model, const ModelRunner::Config& config, const Bounds& bounds) {
  for (const int tokens : {kLongPrompt, 32768}) {
    const std::vector<int32_t> ids = PromptIds(model.config(), tokens);
    const auto read = [&] {
      model.Read(*model.Admit(ids, tokens, CachePolicy::kWindowKv, 1024, kOutput));
    };
    read();
    const double seconds = MedianSeconds(3, read);
    const double rate = PrefillFlops(model.config(), tokens) / seconds;
    const std::string what = absl::StrFormat("prefill of %d tokens at budget 1024", tokens);
    Row(what, seconds * 1e3, "ms", "");
    Row(what, rate / bounds.flops, "of the products' rate", ">= 0.6");
    const at::Device device = config.device;
    const auto sequence = model.Admit(ids, tokens, CachePolicy::kWindowKv, 1024, kOutput);
    const int64_t before = CudaDeviceMemory(device).allocated_bytes;
    ResetCudaPeak(device);
    model.Read(*sequence);
    const auto extra = static_cast<double>(CudaDeviceMemory(device).peak_bytes - before);
    Row(what, extra / static_cast<double>(ModelRunner::PrefillBytes(config, tokens)),
        "of K, V, activations", "0.9 to 1.1");
  }
}

// How many long requests a card holds, and what it then decodes per second. The compressed ones are
// read from shorter prompts, which leave as much behind.
void MeasureCapacity(const Options& options) {
  double held[2] = {};
  double rate[2] = {};
  for (const bool compress : {false, true}) {
    BenchModel model(RunnerConfig(options, /*pool_bytes=*/0));
    const CachePolicy policy = compress ? CachePolicy::kWindowKv : CachePolicy::kFull;
    const int budget = compress ? 1024 : 0;
    {
      const std::vector<int32_t> ids = PromptIds(model.config(), kLongPrompt);
      Sequences admitted;
      do {
        admitted.push_back(model.Admit(ids, kLongPrompt, policy, budget, kOutput));
      } while (admitted.back()->cache);
      held[compress] = static_cast<double>(admitted.size() - 1);
    }
    Sequences sequences = ReadSequences(model, static_cast<int>(held[compress]),
                                        compress ? 1100 : kLongPrompt, policy, budget);
    model.DecodeSeconds(sequences, 3);
    rate[compress] = held[compress] / model.DecodeSeconds(sequences, 20);
    Row(compress ? "requests of 7950 tokens held, WINDOWKV 1024"
                 : "requests of 7950 tokens held, FULL",
        held[compress], "", "");
    Row("output tokens per second then", rate[compress], "", "");
  }
  Row("requests held, WINDOWKV 1024 against FULL", held[1] / held[0], "", ">= 3.3");
  Row("output tokens per second, WINDOWKV 1024 against FULL", rate[1] / rate[0], "", ">= 3");
}

void MeasureGraphs(const Options& options) {
  double seconds[2] = {};
  for (const bool graphs : {false, true}) {
    BenchModel model(RunnerConfig(options, int64_t{2} << 30, graphs));
    Sequences sequences = ReadSequences(model, 1, kLongPrompt, CachePolicy::kWindowKv, 512);
    model.DecodeSeconds(sequences, 5);
    seconds[graphs] = model.DecodeSeconds(sequences, 60);
  }
  Row("decode step, batch 1, as a graph", seconds[1] / seconds[0], "of one by one", "");
}

void MeasureInterTokenLatency(const Options& options) {
  testing::LastStateMetrics metrics;
  const ModelRunner::Config runner = RunnerConfig(options, int64_t{16} << 30);
  EngineLoop::Config config;
  config.num_layers = runner.model.num_layers;
  LoopDriver driver(config, OrDie(ModelRunner::Create(runner)), options.model, &metrics);
  const LoopRequest stream{200, 300, CachePolicy::kWindowKv, 1024};
  const LoopRequest prompt{32000, 1, CachePolicy::kWindowKv, 1024};
  LoopDriver::ReadAll(*driver.Add(prompt));
  GapsOfStreams(driver, 32, {200, 60, CachePolicy::kWindowKv, 1024}, std::nullopt);
  const double idle = Percentile99(GapsOfStreams(driver, 32, stream, std::nullopt));
  const double busy = Percentile99(GapsOfStreams(driver, 32, stream, prompt));
  Row("p99 gap of 32 streams, alone", idle * 1e3, "ms", "");
  Row("p99 gap of 32 streams while 32k prompts arrive", busy / idle, "of that", "<= 2");
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures the engine on an NVIDIA GPU; ratios within one run.");
  app.add_option("--model", options.model, "checkpoint directory")->required();
  app.add_option("--device", options.device, "CUDA device");
  app.add_option("--prefill-chunk", options.prefill_chunk, "rows of a prefill slice");
  app.add_option("--batches", options.batches, "of 1, 4, 16, 64: those whose decode steps to time");
  app.add_option("--only", options.only,
                 "decode, prefill, selection, operations, capacity, latency, graphs; all");
  CLI11_PARSE(app, argc, argv);
  const std::set<std::string> only(options.only.begin(), options.only.end());
  const auto wanted = [&only](const std::string& name) {
    return only.empty() || only.contains(name);
  };
  if (CudaDeviceCount() <= options.device) {
    OrDie<int>(absl::NotFoundError("there is no such CUDA device, or no CUDA in this program"));
  }
  const at::Device device(at::kCUDA, static_cast<at::DeviceIndex>(options.device));
  std::cout << CudaDeviceName(device) << "\n";
  c10::InferenceMode guard;
  UseCudaDevice(device);
  const Bounds bounds = MeasureBounds();
  const LlamaConfig config = OrDie(LoadLlamaConfig(options.model));
  if (wanted("selection")) MeasureSelection(config);
  if (wanted("operations")) MeasureOperations(config, bounds);
  if (wanted("decode") || wanted("prefill")) {
    const absl::Duration start = MonotonicNow();
    const ModelRunner::Config runner = RunnerConfig(options, int64_t{16} << 30);
    BenchModel model(runner);
    Row("loading the weights", absl::ToDoubleSeconds(MonotonicNow() - start), "s", "");
    if (wanted("decode")) MeasureDecode(model, options.batches, bounds);
    if (wanted("prefill")) MeasurePrefill(model, runner, bounds);
  }
  if (wanted("graphs")) MeasureGraphs(options);
  if (wanted("latency")) MeasureInterTokenLatency(options);
  if (wanted("capacity")) MeasureCapacity(options);
  return 0;
}

}  // namespace
}  // namespace windowkv::bench

int main(int argc, char** argv) { return windowkv::bench::Main(argc, argv); }
