#include "engine/model/llama_model.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/status.h"
#include "engine/kv_cache/layer_compressor.h"
#include "engine/model/rope_table.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {

absl::StatusOr<LlamaModel> LlamaModel::Load(const std::string& dir, const LlamaConfig& config,
                                            const at::TensorOptions& options) {
  WINDOWKV_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(dir));
  WINDOWKV_ASSIGN_OR_RETURN(Embedding embedding,
                            Embedding::Load(checkpoint, "model.embed_tokens", config.vocab_size,
                                            config.hidden_size, options));
  std::vector<LlamaLayer> layers;
  for (int32_t i = 0; i < config.num_layers; ++i) {
    WINDOWKV_ASSIGN_OR_RETURN(LlamaLayer layer, LlamaLayer::Load(checkpoint, config, i, options));
    layers.push_back(std::move(layer));
  }
  WINDOWKV_ASSIGN_OR_RETURN(at::Tensor norm,
                            checkpoint.Load("model.norm.weight", {config.hidden_size}, options));
  Linear output(embedding.weight());
  if (!config.tie_word_embeddings) {
    WINDOWKV_ASSIGN_OR_RETURN(output, Linear::Load(checkpoint, {{"lm_head", config.vocab_size}},
                                                   config.hidden_size, /*bias=*/false, options));
  }
  return LlamaModel(config, std::move(embedding), std::move(layers), std::move(norm),
                    std::move(output), options);
}

LlamaModel::LlamaModel(const LlamaConfig& config, Embedding embedding,
                       std::vector<LlamaLayer> layers, at::Tensor norm, Linear output,
                       const at::TensorOptions& options)
    : config_(config),
      options_(options),
      attention_scale_(1.0f / std::sqrt(static_cast<float>(config.head_dim))),
      embedding_(std::move(embedding)),
      layers_(std::move(layers)),
      norm_(std::move(norm)),
      output_(std::move(output)),
      rope_(
          MakeRopeTable(config.rope, config.head_dim, config.context_length).to(options.device())) {
}

PrefillState LlamaModel::StartPrefill(const std::vector<int32_t>& tokens,
                                      const CachePlan& plan) const {
  const auto count = static_cast<int64_t>(tokens.size());
  const at::TensorOptions& options = options_;
  PrefillState state;
  state.positions = at::arange(count, options.dtype(at::kInt));
  const at::Tensor ids = at::empty({count}, at::kInt);
  std::ranges::copy(tokens, ids.mutable_data_ptr<int32_t>());
  state.hidden = at::empty({count, config_.hidden_size}, options);
  embedding_.Lookup(ids.to(device()), state.hidden);
  state.scratch.k = at::empty({count, config_.num_kv_heads, config_.head_dim}, options);
  state.scratch.v = at::empty({count, config_.num_kv_heads, config_.head_dim}, options);
  // The last layer's attention needs the last query in any case.
  const int64_t observation =
      plan.observed == ObservedQueries::kLast ? plan.config.observation_tokens : 1;
  state.scratch.observation_q = at::empty(
      {std::min<int64_t>(observation, count), config_.num_heads, config_.head_dim}, options);
  if (plan.observed == ObservedQueries::kAll) {
    state.scratch.key_mass = at::empty({config_.num_heads, count}, options.dtype(at::kFloat));
  }
  return state;
}

void LlamaModel::RunPrefillSlice(const PrefillSlice& slice, PrefillState& state,
                                 KvCacheStore& store, SequenceKvCache& cache) const {
  layers_[slice.layer].Prefill(slice.begin, slice.end, rope_, state);
  if (slice.end < state.num_tokens()) return;
  state.compressor.Compress(state.scratch, slice.layer, attention_scale_, store, cache);
  if (slice.layer + 1 == config_.num_layers) state.compressor.Finish(cache);
}

at::Tensor LlamaModel::PrefillLogits(const PrefillState& state) const {
  at::Tensor logits = EmptyLogits(1);
  Logits(state.hidden.slice(0, state.hidden.size(0) - 1), logits);
  return logits;
}

at::Tensor LlamaModel::Decode(const std::vector<DecodeRow>& rows, KvCacheStore& store,
                              const at::Tensor& unread) {
  const auto count = static_cast<int64_t>(rows.size());
  if (device().is_cpu()) {
    const DecodeInputs inputs(FillDecodeInputs(rows, count, config_.num_layers, device()), count,
                              config_.num_layers);
    if (unread.defined()) inputs.FillUnread(unread);
    at::Tensor logits = EmptyLogits(count);
    RunDecode(inputs, store, logits);
    return logits;
  }
  if (graphs_ == nullptr) {
    graphs_ = MakeDecodeGraphs(
        DecodeConfig(config_, store.geometry().block_size, max_rows_, captures_decode_), device());
  }
  const int64_t batch = DecodeGraphs::BatchFor(count);
  const at::Tensor filled = FillDecodeInputs(rows, batch, config_.num_layers, device());
  return graphs_
      ->Run(
          filled, unread, batch,
          [&](const DecodeInputs& inputs, at::Tensor& logits) { RunDecode(inputs, store, logits); })
      .slice(0, 0, count);
}

DecodeGraphs::Config LlamaModel::DecodeConfig(const LlamaConfig& config, int32_t block_size,
                                              int64_t max_rows, bool capture) {
  return {.num_layers = config.num_layers,
          .vocab_size = config.vocab_size,
          // One more than a full context: the blocks of a growing sequence are taken one token
          // ahead.
          .max_blocks = config.context_length / block_size + 2,
          .max_rows = max_rows,
          .capture = capture};
}

void LlamaModel::RunDecode(const DecodeInputs& inputs, KvCacheStore& store, at::Tensor& logits) {
  at::Tensor hidden = at::empty({inputs.batch(), config_.hidden_size}, options_);
  embedding_.Lookup(inputs.Tokens(), hidden);
  for (int32_t layer = 0; layer < config_.num_layers; ++layer) {
    layers_[layer].Decode(inputs.positions(), inputs.Caches(layer), rope_, attention_, store.pool(),
                          hidden);
  }
  Logits(hidden, logits);
}

at::Tensor LlamaModel::EmptyLogits(int64_t rows) const {
  return at::empty({rows, output_.out_features()}, options_.dtype(at::kFloat));
}

void LlamaModel::Logits(const at::Tensor& hidden, at::Tensor& logits) const {
  output_.NormedDecodeForward(hidden, norm_, static_cast<float>(config_.rms_norm_eps), logits);
}

}  // namespace windowkv
