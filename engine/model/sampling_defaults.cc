#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/json/json_node.h"
#include "engine/model/llama_config.h"

namespace windowkv {
namespace {

constexpr JsonNode::Range<int64_t> kTokens = {1, 1 << 28};
constexpr double kSmallest = 1e-6;  // ranges that leave out 0 begin here

// `into` changes only when the file has the key.
absl::Status ReadFloat(const JsonNode& fields, const char* key, JsonNode::Range<double> range,
                       float& into) {
  WINDOWKV_ASSIGN_OR_RETURN(const double value, fields[key].NumberOr(into, range));
  into = static_cast<float>(value);
  return absl::OkStatus();
}

// The values that transformers reads only when it samples. A file without top_k means no limit
// here, though transformers then takes 50.
absl::Status ReadSampling(const JsonNode& fields, SamplingParams& params) {
  params.temperature = 1;
  WINDOWKV_RETURN_IF_ERROR(ReadFloat(fields, "temperature", {0, 100}, params.temperature));
  WINDOWKV_RETURN_IF_ERROR(ReadFloat(fields, "top_p", {kSmallest, 1}, params.top_p));
  WINDOWKV_RETURN_IF_ERROR(ReadFloat(fields, "min_p", {0, 1}, params.min_p));
  WINDOWKV_ASSIGN_OR_RETURN(params.top_k, fields["top_k"].IntOr(0, {0, 1 << 24}));
  return absl::OkStatus();
}

SamplingParams Cut(SamplingParams params, const SamplingLimits& limits) {
  params.top_k = std::min(params.top_k, limits.vocab_size);
  params.max_tokens = std::min(params.max_tokens, limits.context_length);
  params.min_tokens = std::min(params.min_tokens, params.max_tokens);
  return params;
}

}  // namespace

absl::StatusOr<SamplingParams> LoadSamplingDefaults(const std::string& dir,
                                                    const SamplingLimits& limits) {
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode file, JsonNode::ReadOptionalFile(
                                                     absl::StrCat(dir, "/generation_config.json")));
  SamplingParams params;
  if (file.is_null()) return Cut(params, limits);
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode fields, file.Object());

  WINDOWKV_ASSIGN_OR_RETURN(const bool do_sample, fields["do_sample"].BoolOr(false));
  if (do_sample) WINDOWKV_RETURN_IF_ERROR(ReadSampling(fields, params));
  WINDOWKV_RETURN_IF_ERROR(
      ReadFloat(fields, "repetition_penalty", {0.001, 10}, params.repetition_penalty));
  WINDOWKV_ASSIGN_OR_RETURN(params.max_tokens,
                            fields["max_new_tokens"].IntOr(params.max_tokens, kTokens));
  WINDOWKV_ASSIGN_OR_RETURN(params.min_tokens,
                            fields["min_new_tokens"].IntOr(0, {0, params.max_tokens}));
  return Cut(params, limits);
}

}  // namespace windowkv
