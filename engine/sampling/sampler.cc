#include "engine/sampling/sampler.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace windowkv {

Sampler::Sampler(const SamplingParams& params, const std::vector<int32_t>& prompt,
                 std::vector<int32_t> end_ids)
    : params_(params), end_ids_(std::move(end_ids)), random_(params.seed.value_or(0)) {
  if (params_.repetition_penalty == 1) return;
  for (int32_t id : prompt) output_counts_.emplace(id, 0);
}

RowSampling Sampler::Next(int32_t row, std::vector<LogitEdit>& edits) {
  RowSampling next{.row = row,
                   .temperature = params_.temperature,
                   .top_k = params_.top_k,
                   .top_p = params_.top_p,
                   .min_p = params_.min_p};
  // One number per drawn token, whatever the filters, keeps a sequence's draws in step.
  if (params_.temperature != 0) next.uniform = static_cast<double>(random_() >> 11) * 0x1.0p-53;
  next.edits_begin = static_cast<int32_t>(edits.size());
  AppendEdits(edits);
  next.edits_end = static_cast<int32_t>(edits.size());
  ++started_;
  return next;
}

bool Sampler::needs_last_token() const {
  return params_.repetition_penalty != 1 || params_.presence_penalty != 0 ||
         params_.frequency_penalty != 0;
}

bool Sampler::IsRuledOut(int32_t id) const {
  return started_ < params_.min_tokens && std::ranges::find(end_ids_, id) != end_ids_.end();
}

void Sampler::AppendEdits(std::vector<LogitEdit>& edits) const {
  const float presence = params_.presence_penalty;
  const float frequency = params_.frequency_penalty;
  const bool penalises = needs_last_token();
  if (penalises) {
    for (const auto& [id, count] : output_counts_) {
      if (IsRuledOut(id)) continue;
      const auto bias = params_.logit_bias.find(id);
      edits.push_back({.id = id,
                       .bias = bias == params_.logit_bias.end() ? 0 : bias->second,
                       .repetition = params_.repetition_penalty,
                       .less = count == 0 ? 0 : presence + frequency * static_cast<float>(count)});
    }
  }
  for (const auto& [id, bias] : params_.logit_bias) {
    const bool is_there = penalises && output_counts_.contains(id);
    if (!is_there && !IsRuledOut(id)) edits.push_back({.id = id, .bias = bias});
  }
  if (started_ >= params_.min_tokens) return;
  for (int32_t id : end_ids_) {
    edits.push_back({.id = id, .less = std::numeric_limits<float>::infinity()});
  }
}

}  // namespace windowkv
