#include "tests/bench/cuda_operations.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "engine/cache_policy/layer_attention.h"
#include "engine/cache_policy/policy.h"
#include "engine/kernels/kept_positions.h"
#include "engine/kernels/kv_scatter.h"
#include "engine/kernels/paged_attention.h"
#include "engine/kernels/prefill_attention.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rope.h"
#include "engine/kernels/row_linear.h"
#include "engine/kernels/row_logprobs.h"
#include "engine/kernels/sample_rows.h"
#include "engine/kernels/swiglu.h"

namespace windowkv::bench {
namespace {

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

// Each product of a decode step over more weights than the second cache holds.
void MeasureProducts(const LlamaConfig& config, const Bounds& bounds) {
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
}

// A kernel bound by memory, and by how much it misses what its bytes allow.
template <typename Call>
void RowOfBytes(const std::string& what, const Call& call, double bytes, const Bounds& bounds) {
  const double seconds = DeviceSeconds(call);
  Row(what, seconds * 1e6, "us", "");
  Row(what, seconds * bounds.bytes_per_second / bytes, "of its bytes' bound", "");
}

void MeasureDecodeAttention(const LlamaConfig& config, const Bounds& bounds) {
  const int64_t width = int64_t{config.num_heads} * config.head_dim;
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
    RowOfBytes(
        absl::StrFormat("attention of %d rows to %d tokens", batch, length),
        [&] {
          attention.Run(q, pool,
                        {lengths.const_data_ptr<int32_t>(), tables.const_data_ptr<int32_t>(),
                         stride.const_data_ptr<int32_t>(), /*first_row=*/0},
                        config.num_heads, 0.1f, out);
        },
        static_cast<double>(pool.nbytes()), bounds);
  }
}

// What a layer does to a slice of a prompt beside its products.
void MeasurePrefillOperations(const LlamaConfig& config, const Bounds& bounds) {
  constexpr int64_t kRows = 2048;
  constexpr int64_t kKept = 1024;
  const int64_t width = int64_t{config.num_heads} * config.head_dim;
  const at::Tensor x = at::randn({kRows, config.hidden_size}, kBfloat16);
  const at::Tensor weight = at::randn({config.hidden_size}, kBfloat16);
  at::Tensor normed = at::empty_like(x);
  RowOfBytes(
      "norm of 2048 rows", [&] { RmsNorm(x, weight, 1e-5f, normed); },
      2.0 * static_cast<double>(x.nbytes()), bounds);
  const at::Tensor gate_up = at::randn({kRows, 2 * config.intermediate_size}, kBfloat16);
  at::Tensor gated = at::empty({kRows, config.intermediate_size}, kBfloat16);
  RowOfBytes(
      "gate of 2048 rows", [&] { SwiGlu(gate_up, gated); },
      1.5 * static_cast<double>(gate_up.nbytes()), bounds);
  at::Tensor k = at::randn({kLongPrompt, config.num_kv_heads, config.head_dim}, kBfloat16);
  at::Tensor v = at::randn({kLongPrompt, config.num_kv_heads, config.head_dim}, kBfloat16);
  const at::Tensor qkv =
      at::randn({kRows, width + 2 * config.num_kv_heads * config.head_dim}, kBfloat16);
  at::Tensor q = at::empty({kRows, width}, kBfloat16);
  const at::Tensor cos_sin = at::randn({kLongPrompt, config.head_dim}, kBfloat16.dtype(at::kFloat));
  const at::Tensor positions = at::arange(kRows, kBfloat16.dtype(at::kInt));
  RowOfBytes(
      "rotary embedding of 2048 rows",
      [&] {
        RopeAndStore(qkv, cos_sin, positions.const_data_ptr<int32_t>(), config.num_heads,
                     config.num_kv_heads, q, KvDestination::Rows(k, v));
      },
      2.0 * static_cast<double>(qkv.nbytes()), bounds);
  const at::Tensor queries = q.view({kRows, config.num_heads, config.head_dim});
  at::Tensor attended = at::empty_like(queries);
  const double seconds = DeviceSeconds([&] { PrefillAttention(queries, k, v, 0.1f, attended); });
  const double pairs = kRows * (kLongPrompt - 0.5 * kRows);
  Row("attention of a prompt's last 2048 rows", seconds * 1e6, "us", "");
  Row("attention of a prompt's last 2048 rows",
      4.0 * pairs * static_cast<double>(width) / seconds / bounds.flops, "of the products' rate",
      "");
  at::Tensor pool = at::randn({kKept / 16, 2, config.num_kv_heads, 16, config.head_dim}, kBfloat16);
  std::vector<int32_t> blocks(kKept / 16);
  std::iota(blocks.begin(), blocks.end(), 0);
  const KeptPositions kept{at::arange(kKept, kBfloat16.dtype(at::kInt)).view({1, kKept}) * 7,
                           at::full({1}, kKept, kBfloat16.dtype(at::kInt))};
  RowOfBytes(
      "copying 1024 kept tokens", [&] { KvScatter(k, v, kept, blocks, pool); },
      2.0 * static_cast<double>(pool.nbytes()), bounds);
}

void MeasureSampling(const LlamaConfig& config, const Bounds& bounds) {
  const std::vector<std::pair<std::string, RowSampling>> kinds = {
      {"greedy", {}},
      {"drawn", {.temperature = 0.8f}},
      {"drawn with top_p", {.temperature = 0.8f, .top_p = 0.9f}},
      {"drawn with top_k", {.temperature = 0.8f, .top_k = 50}}};
  for (const int32_t count : {1, 16, 32, 33, 64}) {
    at::Tensor logits = at::randn({count, config.vocab_size}, kBfloat16.dtype(at::kFloat));
    for (const auto& [kind, sampling] : kinds) {
      std::vector<RowSampling> rows(static_cast<size_t>(count), sampling);
      for (int32_t row = 0; row < count; ++row) {
        rows[row].row = row;
        rows[row].uniform = (row + 0.5) / count;
      }
      RowOfBytes(
          absl::StrFormat("tokens of %d rows, %s", count, kind),
          [&] { SampleRows(rows, {}, logits); }, static_cast<double>(logits.nbytes()), bounds);
    }
    const at::Tensor ids = at::arange(count, kBfloat16.dtype(at::kInt));
    std::vector<ChosenRow> chosen;
    for (int32_t row = 0; row < count; ++row) chosen.push_back({row, row});
    RowOfBytes(
        absl::StrFormat("20 log-probabilities of %d rows", count),
        [&] { StartRowLogprobs(chosen, ids, /*top=*/20, logits); },
        static_cast<double>(logits.nbytes()), bounds);
  }
}

}  // namespace

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

void MeasureOperations(const LlamaConfig& config, const Bounds& bounds) {
  MeasureProducts(config, bounds);
  MeasureDecodeAttention(config, bounds);
  MeasurePrefillOperations(config, bounds);
  MeasureSampling(config, bounds);
}

}  // namespace windowkv::bench
