#ifndef WINDOWKV_SERVER_GENERATION_WIRE_RESPONSE_H_
#define WINDOWKV_SERVER_GENERATION_WIRE_RESPONSE_H_

#include <string>

#include "absl/status/statusor.h"
#include "engine/request/token_stream.h"
#include "engine/runtime/engine.h"
#include "windowkv/v1/generation.pb.h"

// From the engine to the wire.

namespace windowkv {

v1::GenerateResponse ToWire(const AcceptedEvent& event, const std::string& request_id);
v1::GenerateResponse ToWire(const ProgressEvent& event);
v1::GenerateResponse ToWire(ChunkEvent event);
v1::GenerateResponse ToWire(const FinishedEvent& event);

// INTERNAL: the server's own cache defaults cannot be resolved for this model.
absl::StatusOr<v1::ModelInfo> ToWire(const ModelInfo& info);
v1::Load ToWire(const EngineLoad& load);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_WIRE_RESPONSE_H_
