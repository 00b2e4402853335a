#include "server/generation/wire_response.h"

#include <utility>

#include "engine/base/status.h"
#include "server/generation/wire_enums.h"
#include "server/rpc/proto_duration.h"

namespace windowkv {
namespace {

void SetRange(const TokenRange& range, v1::TokenRange* wire) {
  wire->set_begin(range.begin);
  wire->set_end(range.end);
}

void SetCache(const CacheConfig& cache, v1::ResolvedCacheOptions* wire) {
  wire->set_policy(ToWireEnum(kCachePolicies, cache.policy));
  wire->set_budget_tokens(cache.budget_tokens);
  wire->set_window_size(cache.window_size);
  wire->set_shared_layers(cache.shared_layers);
  wire->set_observation_tokens(cache.observation_tokens);
  wire->set_beta(cache.beta);
  if (cache.strategy) wire->set_strategy(ToWireEnum(kStrategies, cache.strategy));
  if (cache.policy != CachePolicy::kFull) {
    wire->set_accounting(ToWireEnum(kAccountings, cache.accounting));
  }
  wire->set_sink_tokens(cache.sink_tokens);
  for (const TokenRange& range : cache.pinned) SetRange(range, wire->add_pinned());
}

void SetVerdict(const TaskVerdict& verdict, v1::TaskVerdict* wire) {
  wire->set_task(ToWireEnum(kTasks, verdict.task));
  wire->set_confidence(verdict.confidence);
  wire->set_fallback_reason(verdict.fallback_reason);
}

void SetLogprob(TokenLogprob logprob, v1::TokenLogprobs::Entry* wire) {
  wire->set_token_id(logprob.token_id);
  wire->set_logprob(logprob.logprob);
  wire->set_text(std::move(logprob.text));
}

void SetUsage(const Usage& usage, v1::Usage* wire) {
  wire->set_prompt_tokens(usage.prompt_tokens);
  wire->set_completion_tokens(usage.completion_tokens);
  *wire->mutable_queued() = ToProtoDuration(usage.queued);
  *wire->mutable_prefill() = ToProtoDuration(usage.prefill);
  *wire->mutable_decode() = ToProtoDuration(usage.decode);
  *wire->mutable_time_to_first_token() = ToProtoDuration(usage.time_to_first_token);
}

void SetKept(const KeptTokens& kept, v1::Receipt::Group* wire) {
  if (!kept.per_head()) {
    for (const auto& ranges : kept.heads) {
      for (const TokenRange& range : ranges) SetRange(range, wire->add_kept_ranges());
    }
    return;
  }
  for (const auto& ranges : kept.heads) {
    v1::Receipt::HeadRanges* head = wire->add_kept_by_head();
    for (const TokenRange& range : ranges) SetRange(range, head->add_ranges());
  }
}

void SetReceipt(const Receipt& receipt, v1::Receipt* wire) {
  wire->set_policy(ToWireEnum(kCachePolicies, receipt.policy));
  for (const Receipt::Group& group : receipt.groups) {
    v1::Receipt::Group* wire_group = wire->add_groups();
    wire_group->set_first_layer(group.first_layer);
    wire_group->set_num_layers(group.num_layers);
    wire_group->set_budget_tokens(group.budget_tokens);
    wire_group->set_kept_tokens(group.kept_tokens);
    SetKept(group.kept, wire_group);
  }
  wire->set_bytes_full(receipt.bytes_full);
  wire->set_bytes_kept(receipt.bytes_kept);
  wire->set_bytes_prefill_peak(receipt.bytes_prefill_peak);
  wire->set_task(ToWireEnum(kTasks, receipt.task.task));
  wire->set_task_confidence(receipt.task.confidence);
  wire->set_fallback_reason(receipt.task.fallback_reason);
  if (receipt.strategy) wire->set_strategy(ToWireEnum(kStrategies, receipt.strategy));
  *wire->mutable_selection_time() = ToProtoDuration(receipt.selection_time);
}

void SetSampling(const SamplingParams& sampling, v1::SamplingParams* wire) {
  wire->set_temperature(sampling.temperature);
  wire->set_top_k(sampling.top_k);
  wire->set_top_p(sampling.top_p);
  wire->set_min_p(sampling.min_p);
  wire->set_repetition_penalty(sampling.repetition_penalty);
  wire->set_presence_penalty(sampling.presence_penalty);
  wire->set_frequency_penalty(sampling.frequency_penalty);
  if (sampling.seed) wire->set_seed(*sampling.seed);
  wire->mutable_stop()->Assign(sampling.stop.begin(), sampling.stop.end());
  wire->mutable_stop_token_ids()->Assign(sampling.stop_token_ids.begin(),
                                         sampling.stop_token_ids.end());
  wire->set_max_tokens(sampling.max_tokens);
  wire->set_min_tokens(sampling.min_tokens);
  if (sampling.logprobs) wire->set_logprobs(*sampling.logprobs);
  wire->mutable_logit_bias()->insert(sampling.logit_bias.begin(), sampling.logit_bias.end());
  wire->set_ignore_eos(sampling.ignore_eos);
}

// What unset cache options come to: resolved as for a prompt that fills the context, under WINDOWKV
// so that its options have values whatever the default policy is.
absl::Status SetDefaultCache(const ModelInfo& info, v1::ResolvedCacheOptions* wire) {
  CacheOptions options;
  options.policy = CachePolicy::kWindowKv;
  absl::StatusOr<CacheConfig> config = ResolveCacheOptions(
      options, info.cache_rules, info.cache_rules.defaults.task, info.context_length, {});
  if (!config.ok()) {
    return Annotate(absl::InternalError(config.status().message()), "default cache options");
  }
  SetCache(*config, wire);
  wire->set_policy(ToWireEnum(kCachePolicies, info.cache_rules.defaults.policy));
  wire->set_strategy(v1::STRATEGY_AUTO);
  return absl::OkStatus();
}

void SetLimits(const CacheRules& rules, v1::CacheLimits* wire) {
  wire->set_budget_tokens(rules.max_budget_tokens());
  wire->set_window_size(rules.limits.window_size);
  wire->set_shared_layers(rules.shape.num_layers);
  wire->set_observation_tokens(rules.limits.observation_tokens);
  wire->set_beta(rules.limits.beta);
  wire->set_sink_tokens(rules.limits.sink_tokens);
  wire->set_pinned_spans(rules.limits.pinned_spans);
}

}  // namespace

v1::GenerateResponse ToWire(const AcceptedEvent& event, const std::string& request_id) {
  v1::GenerateResponse response;
  v1::Accepted* accepted = response.mutable_accepted();
  accepted->set_request_id(request_id);
  accepted->set_prompt_tokens(event.prompt_tokens);
  SetVerdict(event.task, accepted->mutable_task());
  SetCache(event.cache, accepted->mutable_cache());
  return response;
}

v1::GenerateResponse ToWire(const ProgressEvent& event) {
  v1::GenerateResponse response;
  response.mutable_progress()->set_layers_done(event.layers_done);
  response.mutable_progress()->set_layers_total(event.layers_total);
  return response;
}

v1::GenerateResponse ToWire(ChunkEvent event) {
  v1::GenerateResponse response;
  v1::Chunk* chunk = response.mutable_chunk();
  chunk->set_text(std::move(event.text));
  chunk->mutable_token_ids()->Assign(event.token_ids.begin(), event.token_ids.end());
  for (TokenLogprobs& logprobs : event.logprobs) {
    v1::TokenLogprobs* wire = chunk->add_logprobs();
    SetLogprob(std::move(logprobs.chosen), wire->mutable_chosen());
    for (TokenLogprob& top : logprobs.top) SetLogprob(std::move(top), wire->add_top());
  }
  return response;
}

v1::GenerateResponse ToWire(const FinishedEvent& event) {
  v1::GenerateResponse response;
  v1::Finished* finished = response.mutable_finished();
  finished->set_finish_reason(ToWireEnum(kFinishReasons, event.reason));
  finished->set_matched_stop(event.matched_stop);
  SetUsage(event.usage, finished->mutable_usage());
  SetReceipt(event.receipt, finished->mutable_receipt());
  return response;
}

absl::StatusOr<v1::ModelInfo> ToWire(const ModelInfo& info) {
  v1::ModelInfo wire;
  wire.set_name(info.name);
  wire.set_architecture(info.architecture);
  wire.set_num_layers(info.num_layers);
  wire.set_num_heads(info.num_heads);
  wire.set_num_kv_heads(info.num_kv_heads);
  wire.set_head_dim(info.head_dim);
  wire.set_vocab_size(info.vocab_size);
  wire.set_context_length(info.context_length);
  wire.set_dtype(info.dtype);
  wire.set_block_size(info.block_size);
  wire.set_block_bytes(info.block_bytes);
  wire.set_kv_pool_bytes(info.kv_pool_bytes);
  wire.set_chat_template(info.chat_template);
  wire.set_default_task_mapping(ToWireEnum(kTaskMappings, info.cache_rules.defaults.task_mapping));
  wire.set_default_task(ToWireEnum(kTasks, info.cache_rules.defaults.task));
  SetSampling(info.sampling_defaults, wire.mutable_default_sampling());
  WINDOWKV_RETURN_IF_ERROR(SetDefaultCache(info, wire.mutable_default_cache()));
  SetLimits(info.cache_rules, wire.mutable_cache_limits());
  return wire;
}

v1::Load ToWire(const EngineLoad& load) {
  v1::Load wire;
  wire.set_free_kv_blocks(load.free_blocks);
  wire.set_total_kv_blocks(load.total_blocks);
  wire.set_running(load.running);
  wire.set_waiting(load.waiting);
  wire.set_accepting(load.accepting);
  return wire;
}

}  // namespace windowkv
