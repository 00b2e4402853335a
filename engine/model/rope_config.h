#ifndef WINDOWKV_ENGINE_MODEL_ROPE_CONFIG_H_
#define WINDOWKV_ENGINE_MODEL_ROPE_CONFIG_H_

#include "absl/status/statusor.h"
#include "engine/model/llama_config.h"
#include "engine/weights/json_reader.h"

namespace windowkv {

// Reads the rotary embedding's part of a config.json in either layout: `rope_theta` beside
// `rope_scaling` (null or an object with "rope_type", once called "type"), or all of it in
// `rope_parameters`. INVALID_ARGUMENT for bad values, UNIMPLEMENTED for another kind of scaling.
absl::StatusOr<RopeConfig> ReadRopeConfig(const JsonFields& fields);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_ROPE_CONFIG_H_
