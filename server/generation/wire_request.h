#ifndef WINDOWKV_SERVER_GENERATION_WIRE_REQUEST_H_
#define WINDOWKV_SERVER_GENERATION_WIRE_REQUEST_H_

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/request/generation_request.h"
#include "engine/sampling/sampling_params.h"
#include "windowkv/v1/generation.pb.h"

// From the wire to the engine. Here is checked what only protobuf can get wrong: inputs that are
// not set or empty, numbers that are no enum value, a task verdict that contradicts itself. Ranges
// are the engine's to check. Every error is INVALID_ARGUMENT naming the field.

namespace windowkv {

// `wire` with unset sampling options taken from `defaults`. `request_id` has been checked.
absl::StatusOr<GenerationRequest> ToGenerationRequest(const v1::GenerateRequest& wire,
                                                      std::string request_id,
                                                      const SamplingParams& defaults,
                                                      absl::Time deadline);

absl::StatusOr<std::variant<PromptText, PromptChat>> ToPrompt(const v1::TokenizeRequest& wire);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_WIRE_REQUEST_H_
