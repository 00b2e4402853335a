#include "engine/model/rope_config.h"

#include <string>

#include "engine/base/status.h"

namespace windowkv {
namespace {

constexpr JsonFields::Range<double> kTheta = {1, 1e15};
constexpr JsonFields::Range<double> kFactor = {1, 1e6};
constexpr JsonFields::Range<double> kFrequencyFactor = {1e-6, 1e6};
constexpr JsonFields::Range<int64_t> kContextLength = {1, 1 << 28};

absl::Status ReadLlama3(const JsonFields& scaling, RopeConfig& rope) {
  rope.scaling = RopeConfig::Scaling::kLlama3;
  WINDOWKV_ASSIGN_OR_RETURN(rope.factor, scaling.Number("factor", kFactor));
  WINDOWKV_ASSIGN_OR_RETURN(rope.low_freq_factor,
                            scaling.Number("low_freq_factor", kFrequencyFactor));
  WINDOWKV_ASSIGN_OR_RETURN(rope.high_freq_factor,
                            scaling.Number("high_freq_factor", kFrequencyFactor));
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    return scaling.Unexpected("high_freq_factor", "more than low_freq_factor");
  }
  WINDOWKV_ASSIGN_OR_RETURN(rope.original_max_position_embeddings,
                            scaling.Int("original_max_position_embeddings", kContextLength));
  return absl::OkStatus();
}

absl::Status ReadScaling(const JsonFields& scaling, RopeConfig& rope) {
  WINDOWKV_ASSIGN_OR_RETURN(rope.theta, scaling.NumberOr("rope_theta", rope.theta, kTheta));
  WINDOWKV_ASSIGN_OR_RETURN(const double partial,
                            scaling.NumberOr("partial_rotary_factor", 1, {0, 1}));
  if (partial != 1) {
    return scaling.Unexpected("partial_rotary_factor", "1", absl::StatusCode::kUnimplemented);
  }
  const std::string key = scaling.Find("rope_type") != nullptr ? "rope_type" : "type";
  WINDOWKV_ASSIGN_OR_RETURN(const std::string type, scaling.StringOr(key, "default"));
  if (type == "default") return absl::OkStatus();
  if (type == "llama3") return ReadLlama3(scaling, rope);
  if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
    WINDOWKV_ASSIGN_OR_RETURN(rope.factor, scaling.Number("factor", kFactor));
    return absl::OkStatus();
  }
  return scaling.Unexpected(key, "\"default\", \"linear\" or \"llama3\"",
                            absl::StatusCode::kUnimplemented);
}

}  // namespace

absl::StatusOr<RopeConfig> ReadRopeConfig(const JsonFields& fields) {
  RopeConfig rope;
  WINDOWKV_ASSIGN_OR_RETURN(rope.theta, fields.NumberOr("rope_theta", rope.theta, kTheta));
  const bool has_parameters = fields.Find("rope_parameters") != nullptr;
  const bool has_scaling = fields.Find("rope_scaling") != nullptr;
  if (has_parameters && has_scaling) {
    return fields.Unexpected("rope_scaling", "nothing beside rope_parameters");
  }
  if (!has_parameters && !has_scaling) return rope;
  WINDOWKV_ASSIGN_OR_RETURN(const JsonFields scaling,
                            fields.Object(has_parameters ? "rope_parameters" : "rope_scaling"));
  WINDOWKV_RETURN_IF_ERROR(ReadScaling(scaling, rope));
  return rope;
}

}  // namespace windowkv
