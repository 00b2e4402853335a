#ifndef WINDOWKV_ENGINE_MODEL_ROPE_CONFIG_H_
#define WINDOWKV_ENGINE_MODEL_ROPE_CONFIG_H_

#include "absl/status/statusor.h"
#include "engine/json/json_node.h"
#include "engine/model/llama_config.h"

namespace windowkv {

// Reads the rotary embedding's part of a config.json in either layout: `rope_theta` beside
// `rope_scaling` (null or an object with "rope_type", once called "type"), or all of it in
// `rope_parameters`. INVALID_ARGUMENT for bad values, UNIMPLEMENTED for another kind of scaling.
absl::StatusOr<RopeConfig> ReadRopeConfig(const JsonNode& fields);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_ROPE_CONFIG_H_
