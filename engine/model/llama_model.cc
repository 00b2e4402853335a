#include "engine/model/llama_model.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/base/status.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kv_cache/layer_compressor.h"
#include "engine/model/rope_table.h"
#include "engine/weights/checkpoint.h"

namespace windowkv {

absl::StatusOr<LlamaModel> LlamaModel::Load(const std::string& dir, const LlamaConfig& config,
                                            at::ScalarType dtype) {
  WINDOWKV_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(dir));
  WINDOWKV_ASSIGN_OR_RETURN(Embedding embedding,
                            Embedding::Load(checkpoint, "model.embed_tokens", config.vocab_size,
                                            config.hidden_size, dtype));
  std::vector<LlamaLayer> layers;
  for (int32_t i = 0; i < config.num_layers; ++i) {
    WINDOWKV_ASSIGN_OR_RETURN(LlamaLayer layer, LlamaLayer::Load(checkpoint, config, i, dtype));
    layers.push_back(std::move(layer));
  }
  WINDOWKV_ASSIGN_OR_RETURN(at::Tensor norm,
                            checkpoint.Load("model.norm.weight", {config.hidden_size}, dtype));
  Linear output(embedding.weight());
  if (!config.tie_word_embeddings) {
    WINDOWKV_ASSIGN_OR_RETURN(output, Linear::Load(checkpoint, {{"lm_head", config.vocab_size}},
                                                   config.hidden_size, /*bias=*/false, dtype));
  }
  return LlamaModel(config, std::move(embedding), std::move(layers), std::move(norm),
                    std::move(output), dtype);
}

LlamaModel::LlamaModel(const LlamaConfig& config, Embedding embedding,
                       std::vector<LlamaLayer> layers, at::Tensor norm, Linear output,
                       at::ScalarType dtype)
    : config_(config),
      dtype_(dtype),
      attention_scale_(1.0f / std::sqrt(static_cast<float>(config.head_dim))),
      embedding_(std::move(embedding)),
      layers_(std::move(layers)),
      norm_(std::move(norm)),
      output_(std::move(output)),
      rope_(MakeRopeTable(config.rope, config.head_dim, config.context_length)) {}

PrefillState LlamaModel::StartPrefill(std::vector<int32_t> tokens, const CachePlan& plan) const {
  const int64_t count = static_cast<int64_t>(tokens.size());
  const auto options = at::TensorOptions().dtype(dtype_);
  PrefillState state;
  state.tokens = std::move(tokens);
  state.positions.resize(count);
  std::iota(state.positions.begin(), state.positions.end(), 0);
  state.hidden = at::empty({count, config_.hidden_size}, options);
  embedding_.Lookup(state.tokens.data(), count, state.hidden);
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
  CompressLayer(state.scratch, slice.layer, attention_scale_, store, cache);
}

at::Tensor LlamaModel::PrefillLogits(const PrefillState& state) const {
  return Logits(state.hidden.slice(0, state.hidden.size(0) - 1));
}

at::Tensor LlamaModel::Decode(const std::vector<DecodeRow>& rows, KvCacheStore& store) {
  const size_t count = rows.size();
  std::vector<int32_t> tokens(count);
  std::vector<int32_t> positions(count);
  for (size_t i = 0; i < count; ++i) {
    tokens[i] = rows[i].token;
    positions[i] = rows[i].position;
  }
  at::Tensor hidden = at::empty({static_cast<int64_t>(count), config_.hidden_size},
                                at::TensorOptions().dtype(dtype_));
  embedding_.Lookup(tokens.data(), static_cast<int64_t>(count), hidden);
  std::vector<KvRow> targets(count);
  std::vector<PagedSequence> sequences(count);
  for (int32_t layer = 0; layer < config_.num_layers; ++layer) {
    for (size_t i = 0; i < count; ++i) {
      SequenceKvCache& cache = *rows[i].cache;
      cache.Grow(layer, 1);
      targets[i] = store.NewestSlot(cache, layer);
      sequences[i] = {cache.blocks(layer).data(), cache.cached_length(layer)};
    }
    layers_[layer].Decode(
        {positions.data(), &targets, &sequences, &store.pool(), store.head_stride()}, rope_,
        attention_, hidden);
  }
  return Logits(hidden);
}

at::Tensor LlamaModel::Logits(const at::Tensor& hidden) const {
  at::Tensor normed = at::empty_like(hidden);
  RmsNorm(hidden, norm_, static_cast<float>(config_.rms_norm_eps), normed);
  at::Tensor logits =
      at::empty({hidden.size(0), output_.out_features()}, at::TensorOptions().dtype(at::kFloat));
  output_.DecodeForward(normed, Accumulate::kNo, logits);
  return logits;
}

}  // namespace windowkv
