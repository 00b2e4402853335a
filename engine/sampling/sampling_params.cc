#include "engine/sampling/sampling_params.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

constexpr int kMaxStops = 16;
constexpr int kMaxStopBytes = 256;
constexpr int kMaxLogprobs = 20;
constexpr int kMaxLogitBiases = 300;

template <typename T>
std::string NotIn(T value, absl::string_view range) {
  return absl::StrCat("is ", value, ", must be in ", range);
}

// True for NaN as well: every comparison with it is false.
template <typename T>
bool Outside(T value, T low, T high) {
  return !(value >= low && value <= high);
}

absl::Status ValidateFilters(const SamplingParams& p, const SamplingLimits& limits) {
  if (Outside(p.temperature, 0.0f, 100.0f)) {
    return InvalidField("sampling.temperature", NotIn(p.temperature, "[0, 100]"));
  }
  if (Outside(p.top_k, 0, limits.vocab_size)) {
    return InvalidField("sampling.top_k",
                        NotIn(p.top_k, absl::StrCat("[0, ", limits.vocab_size, "]")));
  }
  if (!(p.top_p > 0 && p.top_p <= 1)) {
    return InvalidField("sampling.top_p", NotIn(p.top_p, "(0, 1]"));
  }
  if (Outside(p.min_p, 0.0f, 1.0f)) return InvalidField("sampling.min_p", NotIn(p.min_p, "[0, 1]"));
  // With less, logits would not stay finite.
  if (Outside(p.repetition_penalty, 0.001f, 10.0f)) {
    return InvalidField("sampling.repetition_penalty", NotIn(p.repetition_penalty, "[0.001, 10]"));
  }
  if (Outside(p.presence_penalty, -10.0f, 10.0f)) {
    return InvalidField("sampling.presence_penalty", NotIn(p.presence_penalty, "[-10, 10]"));
  }
  if (Outside(p.frequency_penalty, -10.0f, 10.0f)) {
    return InvalidField("sampling.frequency_penalty", NotIn(p.frequency_penalty, "[-10, 10]"));
  }
  return absl::OkStatus();
}

absl::Status ValidateStops(const SamplingParams& p, const SamplingLimits& limits) {
  if (p.stop.size() > kMaxStops) {
    return InvalidField("sampling.stop", NotIn(p.stop.size(), "[0, 16] strings"));
  }
  for (size_t i = 0; i < p.stop.size(); ++i) {
    if (p.stop[i].empty() || p.stop[i].size() > kMaxStopBytes) {
      return InvalidField(absl::StrCat("sampling.stop[", i, "]"),
                          NotIn(p.stop[i].size(), "[1, 256] bytes"));
    }
  }
  if (p.stop_token_ids.size() > kMaxStops) {
    return InvalidField("sampling.stop_token_ids", NotIn(p.stop_token_ids.size(), "[0, 16] ids"));
  }
  for (size_t i = 0; i < p.stop_token_ids.size(); ++i) {
    if (Outside(p.stop_token_ids[i], 0, limits.vocab_size - 1)) {
      return InvalidField(
          absl::StrCat("sampling.stop_token_ids[", i, "]"),
          NotIn(p.stop_token_ids[i], absl::StrCat("[0, ", limits.vocab_size - 1, "]")));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateLengths(const SamplingParams& p, const SamplingLimits& limits) {
  if (Outside(p.max_tokens, 1, limits.context_length)) {
    return InvalidField("sampling.max_tokens",
                        NotIn(p.max_tokens, absl::StrCat("[1, ", limits.context_length, "]")));
  }
  if (Outside(p.min_tokens, 0, p.max_tokens)) {
    return InvalidField("sampling.min_tokens",
                        NotIn(p.min_tokens, absl::StrCat("[0, max_tokens = ", p.max_tokens, "]")));
  }
  if (p.logprobs && Outside(*p.logprobs, 0, kMaxLogprobs)) {
    return InvalidField("sampling.logprobs", NotIn(*p.logprobs, "[0, 20]"));
  }
  return absl::OkStatus();
}

absl::Status ValidateLogitBias(const SamplingParams& p, const SamplingLimits& limits) {
  if (p.logit_bias.size() > kMaxLogitBiases) {
    return InvalidField("sampling.logit_bias", NotIn(p.logit_bias.size(), "[0, 300] entries"));
  }
  for (const auto& [id, bias] : p.logit_bias) {
    const std::string field = absl::StrCat("sampling.logit_bias[", id, "]");
    if (Outside(id, 0, limits.vocab_size - 1)) {
      return InvalidField(field,
                          absl::StrCat("names a token outside [0, ", limits.vocab_size - 1, "]"));
    }
    if (Outside(bias, -100.0f, 100.0f)) return InvalidField(field, NotIn(bias, "[-100, 100]"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateSamplingParams(const SamplingParams& params, const SamplingLimits& limits) {
  WINDOWKV_RETURN_IF_ERROR(ValidateFilters(params, limits));
  WINDOWKV_RETURN_IF_ERROR(ValidateStops(params, limits));
  WINDOWKV_RETURN_IF_ERROR(ValidateLengths(params, limits));
  return ValidateLogitBias(params, limits);
}

}  // namespace windowkv
