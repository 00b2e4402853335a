#include "engine/model/rope_config.h"

#include <string>

#include "engine/base/status.h"

namespace windowkv {
namespace {

constexpr JsonNode::Range<double> kTheta = {1, 1e15};
constexpr JsonNode::Range<double> kFactor = {1, 1e6};
constexpr JsonNode::Range<double> kFrequencyFactor = {1e-6, 1e6};
constexpr JsonNode::Range<int64_t> kContextLength = {1, 1 << 28};

absl::Status ReadLlama3(const JsonNode& scaling, RopeConfig& rope) {
  rope.scaling = RopeConfig::Scaling::kLlama3;
  WINDOWKV_ASSIGN_OR_RETURN(rope.factor, scaling["factor"].Number(kFactor));
  WINDOWKV_ASSIGN_OR_RETURN(rope.low_freq_factor,
                            scaling["low_freq_factor"].Number(kFrequencyFactor));
  WINDOWKV_ASSIGN_OR_RETURN(rope.high_freq_factor,
                            scaling["high_freq_factor"].Number(kFrequencyFactor));
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    return scaling["high_freq_factor"].Expected("more than low_freq_factor");
  }
  WINDOWKV_ASSIGN_OR_RETURN(rope.original_max_position_embeddings,
                            scaling["original_max_position_embeddings"].Int(kContextLength));
  return absl::OkStatus();
}

absl::Status ReadScaling(const JsonNode& scaling, RopeConfig& rope) {
  WINDOWKV_ASSIGN_OR_RETURN(rope.theta, scaling["rope_theta"].NumberOr(rope.theta, kTheta));
  WINDOWKV_ASSIGN_OR_RETURN(const double partial,
                            scaling["partial_rotary_factor"].NumberOr(1, {0, 1}));
  if (partial != 1) {
    return scaling["partial_rotary_factor"].Unsupported("1");
  }
  const std::string key = !scaling["rope_type"].is_null() ? "rope_type" : "type";
  WINDOWKV_ASSIGN_OR_RETURN(const std::string type, scaling[key].StringOr("default"));
  if (type == "default") return absl::OkStatus();
  if (type == "llama3") return ReadLlama3(scaling, rope);
  if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
    WINDOWKV_ASSIGN_OR_RETURN(rope.factor, scaling["factor"].Number(kFactor));
    return absl::OkStatus();
  }
  return scaling[key].Unsupported("\"default\", \"linear\" or \"llama3\"");
}

}  // namespace

absl::StatusOr<RopeConfig> ReadRopeConfig(const JsonNode& fields) {
  RopeConfig rope;
  WINDOWKV_ASSIGN_OR_RETURN(rope.theta, fields["rope_theta"].NumberOr(rope.theta, kTheta));
  const bool has_parameters = !fields["rope_parameters"].is_null();
  const bool has_scaling = !fields["rope_scaling"].is_null();
  if (has_parameters && has_scaling) {
    return fields["rope_scaling"].Expected("nothing beside rope_parameters");
  }
  if (!has_parameters && !has_scaling) return rope;
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode scaling,
                            fields[has_parameters ? "rope_parameters" : "rope_scaling"].Object());
  WINDOWKV_RETURN_IF_ERROR(ReadScaling(scaling, rope));
  return rope;
}

}  // namespace windowkv
