#include "engine/model/llama_layer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "engine/base/status.h"
#include "engine/kernels/key_mass.h"
#include "engine/kernels/prefill_attention.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rope.h"

namespace windowkv {
namespace {

KvDestination ScratchRows(LayerScratch& scratch, int32_t begin, int32_t end) {
  at::Tensor k = scratch.k.slice(0, begin, end);
  at::Tensor v = scratch.v.slice(0, begin, end);
  return KvDestination::Rows(k, v);
}

}  // namespace

absl::StatusOr<LlamaLayer> LlamaLayer::Load(const Checkpoint& checkpoint, const LlamaConfig& config,
                                            int32_t index, const at::TensorOptions& options) {
  const std::string name = "model.layers." + std::to_string(index);
  const std::string attention = name + ".self_attn";
  const int64_t q_size = int64_t{config.num_heads} * config.head_dim;
  const int64_t kv_size = int64_t{config.num_kv_heads} * config.head_dim;
  WINDOWKV_ASSIGN_OR_RETURN(Linear qkv,
                            Linear::Load(checkpoint,
                                         {{attention + ".q_proj", q_size},
                                          {attention + ".k_proj", kv_size},
                                          {attention + ".v_proj", kv_size}},
                                         config.hidden_size, config.attention_bias, options));
  WINDOWKV_ASSIGN_OR_RETURN(
      Linear output, Linear::Load(checkpoint, {{attention + ".o_proj", config.hidden_size}}, q_size,
                                  config.attention_bias, options));
  WINDOWKV_ASSIGN_OR_RETURN(SwiGluMlp mlp,
                            SwiGluMlp::Load(checkpoint, name + ".mlp", config.hidden_size,
                                            config.intermediate_size, config.mlp_bias, options));
  WINDOWKV_ASSIGN_OR_RETURN(at::Tensor input_norm, checkpoint.Load(name + ".input_layernorm.weight",
                                                                   {config.hidden_size}, options));
  WINDOWKV_ASSIGN_OR_RETURN(
      at::Tensor post_attention_norm,
      checkpoint.Load(name + ".post_attention_layernorm.weight", {config.hidden_size}, options));
  return LlamaLayer(config, index + 1 == config.num_layers, std::move(qkv), std::move(output),
                    std::move(mlp), std::move(input_norm), std::move(post_attention_norm));
}

LlamaLayer::LlamaLayer(const LlamaConfig& config, bool is_last, Linear qkv, Linear output,
                       SwiGluMlp mlp, at::Tensor input_norm, at::Tensor post_attention_norm)
    : num_heads_(config.num_heads),
      num_kv_heads_(config.num_kv_heads),
      head_dim_(config.head_dim),
      eps_(static_cast<float>(config.rms_norm_eps)),
      scale_(1.0f / std::sqrt(static_cast<float>(config.head_dim))),
      is_last_(is_last),
      qkv_(std::move(qkv)),
      q_(qkv_.Slice(0, num_heads_ * head_dim_)),
      kv_(qkv_.Slice(num_heads_ * head_dim_, qkv_.out_features())),
      output_(std::move(output)),
      mlp_(std::move(mlp)),
      input_norm_(std::move(input_norm)),
      post_attention_norm_(std::move(post_attention_norm)) {}

at::Tensor LlamaLayer::Normed(const at::Tensor& hidden, const at::Tensor& norm) const {
  at::Tensor normed = at::empty_like(hidden);
  RmsNorm(hidden, norm, eps_, normed);
  return normed;
}

void LlamaLayer::Prefill(int32_t begin, int32_t end, const at::Tensor& rope,
                         PrefillState& state) const {
  if (!ComputesLastRowsOnly(state)) {
    at::Tensor q = ProjectAll(begin, end, rope, state);
    Attend(end, q, state);
    return Finish(q, begin, end, state);
  }
  ProjectKeysAndLastQueries(begin, end, rope, state);
  if (end < state.num_tokens()) return;
  const at::Tensor& observation = state.scratch.observation_q;
  at::Tensor q = observation.slice(0, observation.size(0) - 1).clone();
  Attend(end, q, state);
  Finish(q, end - 1, end, state);
}

at::Tensor LlamaLayer::ProjectAll(int32_t begin, int32_t end, const at::Tensor& rope,
                                  PrefillState& state) const {
  const at::Tensor normed = Normed(state.hidden.slice(0, begin, end), input_norm_);
  at::Tensor q = at::empty({end - begin, num_heads_, head_dim_}, normed.options());
  at::Tensor flat = q.flatten(1);
  RopeAndStore(qkv_.Forward(normed), rope, state.PositionsFrom(begin), num_heads_, num_kv_heads_,
               flat, ScratchRows(state.scratch, begin, end));
  at::Tensor& observation = state.scratch.observation_q;
  const int32_t first = state.num_tokens() - static_cast<int32_t>(observation.size(0));
  const int32_t from = std::max(begin, first);
  if (from < end) {
    observation.slice(0, from - first, end - first).copy_(q.slice(0, from - begin));
  }
  return q;
}

void LlamaLayer::ProjectKeysAndLastQueries(int32_t begin, int32_t end, const at::Tensor& rope,
                                           PrefillState& state) const {
  const at::Tensor normed = Normed(state.hidden.slice(0, begin, end), input_norm_);
  at::Tensor& observation = state.scratch.observation_q;
  at::Tensor none = observation;
  RopeAndStore(kv_.Forward(normed), rope, state.PositionsFrom(begin), /*num_heads=*/0,
               num_kv_heads_, none, ScratchRows(state.scratch, begin, end));
  const int32_t first = state.num_tokens() - static_cast<int32_t>(observation.size(0));
  const int32_t from = std::max(begin, first);
  if (from >= end) return;
  at::Tensor q = observation.slice(0, from - first, end - first).flatten(1);
  RopeAndStore(q_.Forward(normed.slice(0, from - begin)), rope, state.PositionsFrom(from),
               num_heads_, /*num_kv_heads=*/0, q, {});
}

void LlamaLayer::Attend(int32_t end, at::Tensor& q, PrefillState& state) const {
  LayerScratch& scratch = state.scratch;
  const at::Tensor k = scratch.k.slice(0, 0, end);
  const at::Tensor v = scratch.v.slice(0, 0, end);
  if (!state.observes_all_queries()) return PrefillAttention(q, k, v, scale_, q);
  at::Tensor attended = at::empty_like(q);
  at::Tensor logsumexp = at::empty({num_heads_, q.size(0)}, q.options().dtype(at::kFloat));
  PrefillAttention(q, k, v, scale_, attended, &logsumexp);
  if (end == q.size(0)) scratch.key_mass.zero_();  // the layer's first rows
  KeyMass(q, k, logsumexp, scale_, scratch.key_mass);
  q = attended;
}

void LlamaLayer::Finish(const at::Tensor& attended, int32_t begin, int32_t end,
                        PrefillState& state) const {
  at::Tensor hidden = state.hidden.slice(0, begin, end);
  output_.AddForward(attended.flatten(1), hidden);
  mlp_.AddForward(Normed(hidden, post_attention_norm_), hidden);
}

void LlamaLayer::Decode(const int32_t* positions, const PagedCaches& caches, const at::Tensor& rope,
                        PagedAttention& attention, at::Tensor& pool, at::Tensor& hidden) const {
  const int64_t batch = hidden.size(0);
  at::Tensor qkv = at::empty({batch, qkv_.out_features()}, hidden.options());
  qkv_.NormedDecodeForward(hidden, input_norm_, eps_, qkv);
  at::Tensor q = qkv.slice(1, 0, num_heads_ * head_dim_);
  RopeAndStore(qkv, rope, positions, num_heads_, num_kv_heads_, q,
               KvDestination::NewestSlots(pool, caches));
  at::Tensor attended = at::empty({batch, num_heads_ * head_dim_}, hidden.options());
  attention.Run(q, pool, caches, num_heads_, scale_, attended);
  output_.DecodeForward(attended, Accumulate::kYes, hidden);
  mlp_.AddNormedDecodeForward(post_attention_norm_, eps_, hidden);
}

}  // namespace windowkv
