// What compression costs and saves, as ratios within this run: selection and copying against a
// layer's attention, whole prefills and decode steps against the full cache, and what blocks waste.
//
//   build/release/bin/compression_bench --model deploy/models/demo_llama

#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/kernels/kept_positions.h"
#include "engine/kernels/key_mass.h"
#include "engine/kernels/kv_scatter.h"
#include "engine/kernels/prefill_attention.h"
#include "tests/bench/bench_model.h"

namespace windowkv::bench {
namespace {

struct Options {
  std::string model;
  std::string dtype = "bfloat16";
  int threads = 2;
  int tokens = 8000;
  int budget = 256;
  int runs = 7;
  int steps = 48;
};

at::ScalarType Dtype(const Options& options) {
  return options.dtype == "float32" ? at::kFloat : at::kBFloat16;
}

// `most` of 0: nothing is required.
void Row(const std::string& what, const std::string& against, double ratio, double most) {
  const std::string bound = most > 0 ? absl::StrFormat("<= %.3g", most) : "";
  const std::string verdict = most == 0 ? "" : ratio <= most ? "holds" : "MISSED";
  std::cout << absl::StrFormat("| %-58s | %-34s | %7.4f | %-8s | %s |\n", what, against, ratio,
                               bound, verdict);
}

// One layer's tensors, random: time does not depend on their values.
struct Layer {
  Layer(const LlamaConfig& config, const Options& options)
      : q(Random({options.tokens, config.num_heads, config.head_dim}, options)),
        k(Random({options.tokens, config.num_kv_heads, config.head_dim}, options)),
        v(Random({options.tokens, config.num_kv_heads, config.head_dim}, options)),
        scale(1.0f / std::sqrt(static_cast<float>(config.head_dim))) {}

  static at::Tensor Random(at::IntArrayRef shape, const Options& options) {
    return at::randn(shape).to(Dtype(options));
  }

  at::Tensor q, k, v;
  float scale;
};

// The same attention by LibTorch, which keeps packed copies of keys and values.
at::Tensor LibraryAttention(const Layer& layer) {
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  return std::get<0>(at::_scaled_dot_product_flash_attention_for_cpu(
      heads_first(layer.q), heads_first(layer.k), heads_first(layer.v), /*dropout_p=*/0.0,
      /*is_causal=*/true, /*attn_mask=*/std::nullopt, layer.scale));
}

// The plan a policy makes for the whole prompt, as BenchModel::Admit resolves it.
CachePlan PlanOf(BenchModel& model, const Options& options, CachePolicy policy) {
  const std::vector<int32_t> ids(options.tokens, 100);
  return model.Admit(ids, options.tokens, policy, options.budget, options.steps)->plan;
}

void MeasureSelection(BenchModel& model, const Options& options) {
  const Layer layer(model.config(), options);
  const int64_t heads = layer.q.size(1);
  at::Tensor values = at::empty_like(layer.q);
  const auto floats = at::TensorOptions().dtype(at::kFloat);
  at::Tensor logsumexp = at::empty({heads, options.tokens}, floats);
  const double attention = MedianSeconds(options.runs, [&] {
    PrefillAttention(layer.q, layer.k, layer.v, layer.scale, values, &logsumexp);
  });
  const double library = MedianSeconds(options.runs, [&] { LibraryAttention(layer); });
  Row("attention of a layer", "LibTorch's flash attention", attention / library, 1);
  for (const auto& [name, policy] : PoliciesByName()) {
    const Policy& rules = PolicyOf(policy);
    if (rules.observed() == ObservedQueries::kNone) continue;
    const CachePlan plan = PlanOf(model, options, policy);
    const int64_t observation = std::max(1, plan.config.observation_tokens);
    LayerAttention seen{
        layer.k, layer.q.slice(0, options.tokens - observation).contiguous(), {}, layer.scale};
    if (rules.observed() == ObservedQueries::kAll) {
      seen.key_mass = at::zeros({heads, options.tokens}, floats);
    }
    KeptPositions kept;
    const double selection = MedianSeconds(options.runs, [&] {
      if (seen.key_mass.defined()) {
        KeyMass(layer.q, layer.k, logsumexp, layer.scale, seen.key_mass);
      }
      kept = rules.Select(plan.config, plan.groups[0].budget_tokens, options.tokens,
                          rules.Observe(plan.config, seen));
    });
    const bool bounded = policy == CachePolicy::kWindowKv;
    Row(name + ": a leader's scoring and selection", "the layer's attention", selection / attention,
        bounded ? 0.03 : 0);
    std::vector<int32_t> blocks(kept.positions.size(1) / 16 + 1);
    std::iota(blocks.begin(), blocks.end(), 0);
    at::Tensor pool = Layer::Random(
        {static_cast<int64_t>(blocks.size()), 2, layer.k.size(1), 16, layer.k.size(2)}, options);
    const double scatter =
        MedianSeconds(options.runs, [&] { KvScatter(layer.k, layer.v, kept, blocks, pool); });
    Row(name + ": copying what a layer keeps", "the layer's attention", scatter / attention,
        bounded ? 0.02 : 0);
  }
}

void MeasurePrefill(BenchModel& model, const Options& options) {
  const std::vector<int32_t> ids(options.tokens, 100);
  const auto seconds = [&](CachePolicy policy) {
    return MedianSeconds(options.runs, [&] {
      model.Read(*model.Admit(ids, options.tokens, policy, options.budget, 1));
    });
  };
  const double full = seconds(CachePolicy::kFull);
  for (const auto& [name, policy] : PoliciesByName()) {
    if (policy == CachePolicy::kFull) continue;
    Row(name + ": prefill", "full: prefill", seconds(policy) / full,
        policy == CachePolicy::kWindowKv ? 1.05 : 0);
  }
}

void MeasureDecode(const Options& options) {
  const std::vector<int32_t> ids(options.tokens, 100);
  const auto seconds = [&](CachePolicy policy) {
    BenchModel model(options.model, Dtype(options), options.threads);
    std::vector<std::unique_ptr<Sequence>> sequences;
    for (int i = 0; i < 8; ++i) {
      sequences.push_back(
          model.Admit(ids, options.tokens, policy, options.budget, options.steps + 8));
      model.Read(*sequences.back());
    }
    return model.DecodeSeconds(sequences, options.steps);
  };
  const double full = seconds(CachePolicy::kFull);
  for (const CachePolicy policy : {CachePolicy::kWindowKv, CachePolicy::kSnapKv}) {
    Row(std::string(PolicyOf(policy).name()) + ": decode step of 8 sequences", "full: the same",
        seconds(policy) / full, policy == CachePolicy::kWindowKv ? 0.6 : 0);
  }
}

// Slots of whole blocks that hold no token, against the tokens held.
void ReportWaste(const Options& options) {
  for (const int32_t block_size : {8, 16, 32}) {
    BenchModel model(options.model, Dtype(options), options.threads, block_size);
    for (const CachePolicy policy : {CachePolicy::kFull, CachePolicy::kWindowKv}) {
      const std::vector<int32_t> ids(options.tokens, 100);
      const auto sequence = model.Admit(ids, options.tokens, policy, options.budget, 1);
      model.Read(*sequence);
      int64_t tokens = 0;
      for (int32_t layer = 0; layer < sequence->cache->num_layers(); ++layer) {
        tokens += sequence->cache->cached_length(layer);
      }
      const int64_t slots = sequence->cache->held_blocks() * block_size;
      Row(absl::StrFormat("%s: empty slots, blocks of %d tokens", PolicyOf(policy).name().data(),
                          block_size),
          "tokens held", static_cast<double>(slots - tokens) / static_cast<double>(tokens), 0);
    }
  }
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures what KV cache compression costs and saves; ratios within one run.");
  app.add_option("--model", options.model, "checkpoint directory")->required();
  app.add_option("--dtype", options.dtype, "bfloat16 or float32");
  app.add_option("--threads", options.threads, "threads of the model's operations");
  app.add_option("--tokens", options.tokens, "prompt length");
  app.add_option("--budget", options.budget, "mean tokens per layer");
  app.add_option("--runs", options.runs, "timed calls, of which the median counts");
  app.add_option("--steps", options.steps, "timed decode steps");
  CLI11_PARSE(app, argc, argv);
  std::cout << absl::StrFormat("%d tokens, budget %d, %s, %d threads\n\n", options.tokens,
                               options.budget, options.dtype, options.threads);
  {
    BenchModel model(options.model, Dtype(options), options.threads);
    MeasureSelection(model, options);
    MeasurePrefill(model, options);
  }
  MeasureDecode(options);
  ReportWaste(options);
  return 0;
}

}  // namespace
}  // namespace windowkv::bench

int main(int argc, char** argv) { return windowkv::bench::Main(argc, argv); }
