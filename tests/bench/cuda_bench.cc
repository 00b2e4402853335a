// What the engine reaches on an NVIDIA GPU, each figure beside a bound or a peer measured in the
// same run: the device's copy bandwidth, its rate of matrix products, LibTorch's own operations.
//
//   tests/gpu/run.sh cuda_bench --model DIR      DIR: as tests/gpu/make_random_llama.py writes it

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/kernels/cuda_device.h"
#include "engine/kernels/kept_positions.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kernels/row_linear.h"
#include "tests/bench/bench_model.h"
#include "tests/bench/loop_driver.h"
#include "tests/testing/last_state_metrics.h"

namespace windowkv::bench {
namespace {

constexpr int kLongPrompt = 7950;
constexpr int kOutput = 256;

struct Options {
  std::string model;
  std::vector<std::string> only;
  int device = 0;
  int prefill_chunk = 2048;
  std::vector<int> batches = {1, 4, 16, 64};
};

const at::TensorOptions kBfloat16 = at::TensorOptions(at::kCUDA).dtype(at::kBFloat16);

void Row(const std::string& what, double value, const std::string& unit, const std::string& must) {
  std::cout << absl::StrFormat("| %-66s | %10.4g %-22s | %-10s |\n", what, value, unit, must)
            << std::flush;
}

// Median seconds of a call's work on the device, of `runs` batches of `each` calls.
template <typename Call>
double DeviceSeconds(const Call& call, int each = 10, int runs = 7) {
  call();
  SynchronizeCuda();
  return MedianSeconds(runs,
                       [&] {
                         for (int i = 0; i < each; ++i) call();
                         SynchronizeCuda();
                       }) /
         each;
}

struct Bounds {
  double bytes_per_second = 0;  // read and written by a copy
  double flops = 0;             // of a large bfloat16 product
};

Bounds MeasureBounds() {
  Bounds bounds;
  const at::Tensor from = at::randn({int64_t{1} << 30}, kBfloat16);
  at::Tensor to = at::empty_like(from);
  bounds.bytes_per_second =
      2.0 * static_cast<double>(from.nbytes()) / DeviceSeconds([&] { to.copy_(from); });
  const int64_t n = 8192;
  const at::Tensor a = at::randn({n, n}, kBfloat16);
  const at::Tensor b = at::randn({n, n}, kBfloat16);
  bounds.flops = 2.0 * n * n * n / DeviceSeconds([&] { at::matmul(a, b); });
  Row("copy bandwidth", bounds.bytes_per_second / 1e12, "TB/s", "");
  Row("matrix products", bounds.flops / 1e12, "TFLOP/s", "");
  return bounds;
}

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

// The selection's scores, in whole-tensor operations.
at::Tensor VectorisedWindowScores(const at::Tensor& q, const at::Tensor& k, float scale,
                                  int64_t window) {
  const int64_t rows = q.size(0);
  const int64_t group = q.size(1) / k.size(1);
  const at::Tensor keys = k.repeat_interleave(group, 1).permute({1, 2, 0});  // [heads, dim, tokens]
  at::Tensor logits = at::matmul(q.transpose(0, 1), keys).to(at::kFloat) * scale;
  const at::Tensor future =
      at::ones({rows, k.size(0)}, q.options().dtype(at::kBool)).triu(k.size(0) - rows + 1);
  logits.masked_fill_(future, -std::numeric_limits<double>::infinity());
  const at::Tensor mass = logits.softmax(-1).slice(2, 0, k.size(0) - rows).sum(1);
  const int64_t whole = mass.size(1) / window * window;
  return std::get<0>(mass.slice(1, 0, whole)
                         .reshape({mass.size(0), -1, window})
                         .mean(at::IntArrayRef{0, 2})
                         .sort());
}

// All that a leader layer adds to a prompt's reading but for its own copy of what it keeps.
void MeasureSelection(const LlamaConfig& model) {
  const at::Tensor q = at::randn({32, model.num_heads, model.head_dim}, kBfloat16);
  const at::Tensor k = at::randn({kLongPrompt, model.num_kv_heads, model.head_dim}, kBfloat16);
  const float scale = 1.0f / std::sqrt(static_cast<float>(model.head_dim));
  CacheConfig config;
  config.policy = CachePolicy::kWindowKv;
  config.strategy = Strategy::kMean;
  config.window_size = 8;
  config.observation_tokens = 32;
  config.sink_tokens = 4;
  constexpr int32_t kBudget = 1463;  // of the first group's layers at a mean of 1024
  const Policy& policy = WindowKvPolicy();
  const double peer =
      DeviceSeconds([&] { VectorisedWindowScores(q, k, scale, config.window_size); }, 20);
  const double own = DeviceSeconds(
      [&] {
        policy.Select(config, kBudget, kLongPrompt, policy.Observe(config, {k, q, {}, scale}));
      },
      20);
  Row("selection of a leader layer at 7950 tokens", own * 1e3, "ms", "<= 0.1");
  Row("the same against whole-tensor operations", own / peer, "of their time", "");
}

// The kernels of a decode step alone, each over more memory than the second cache holds.
void MeasureOperations(const LlamaConfig& config, const Bounds& bounds) {
  constexpr int kCopies = 6;
  const int64_t width = int64_t{config.num_heads} * config.head_dim;
  const int64_t kv_width = int64_t{config.num_kv_heads} * config.head_dim;
  for (const auto& [name, out, in] : std::vector<std::tuple<std::string, int64_t, int64_t>>{
           {"query, key, value", width + 2 * kv_width, config.hidden_size},
           {"attention's output", config.hidden_size, width},
           {"gate and up", 2 * config.intermediate_size, config.hidden_size},
           {"down", config.hidden_size, config.intermediate_size}}) {
    std::vector<at::Tensor> weights;
    for (int i = 0; i < kCopies; ++i) weights.push_back(at::randn({out, in}, kBfloat16));
    for (const int64_t batch : {1, 8, 16, 32, 64}) {
      const at::Tensor x = at::randn({batch, in}, kBfloat16);
      at::Tensor y = at::empty({batch, out}, kBfloat16);
      const double seconds = DeviceSeconds([&] {
        for (const at::Tensor& weight : weights) RowLinear(x, weight, {}, Accumulate::kNo, y);
      });
      const double bound =
          kCopies * static_cast<double>(weights[0].nbytes()) / bounds.bytes_per_second;
      Row(absl::StrFormat("product of %d rows: %s", batch, name), seconds / bound,
          "of its bytes' bound", "");
    }
  }
  for (const auto& [batch, length] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 512}, {16, 1024}, {64, 1024}, {60, 8000}}) {
    const int64_t blocks = (length + 15) / 16;
    const at::Tensor pool =
        at::randn({batch * blocks, 2, config.num_kv_heads, 16, config.head_dim}, kBfloat16);
    const auto ints = at::TensorOptions(at::kCUDA).dtype(at::kInt);
    const at::Tensor tables = at::randperm(batch * blocks, ints);
    const at::Tensor lengths = at::full({batch}, length, ints);
    const at::Tensor stride = at::full({1}, blocks, ints);
    const at::Tensor q = at::randn({batch, width}, kBfloat16);
    at::Tensor out = at::empty({batch, width}, kBfloat16);
    PagedAttention attention;
    const double seconds = DeviceSeconds([&] {
      attention.Run(q, pool,
                    {lengths.const_data_ptr<int32_t>(), tables.const_data_ptr<int32_t>(),
                     stride.const_data_ptr<int32_t>(), /*first_row=*/0},
                    config.num_heads, 0.1f, out);
    });
    const std::string what = absl::StrFormat("attention of %d rows to %d tokens", batch, length);
    Row(what, seconds * 1e6, "us", "");
    Row(what, seconds / (static_cast<double>(pool.nbytes()) / bounds.bytes_per_second),
        "of its bytes' bound", "");
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
