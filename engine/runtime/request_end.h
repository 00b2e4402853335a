#ifndef WINDOWKV_ENGINE_RUNTIME_REQUEST_END_H_
#define WINDOWKV_ENGINE_RUNTIME_REQUEST_END_H_

#include "absl/time/time.h"
#include "engine/base/engine_metrics.h"
#include "engine/request/sequence.h"
#include "engine/request/token_stream.h"

namespace windowkv {

// Counts and times of a sequence that generated its last token.
Usage MakeUsage(const Sequence& sequence);

// The same for the metrics, with what the cache held.
EngineMetrics::RequestEnd MakeRequestEnd(const Sequence& sequence, const FinishedEvent& event,
                                         absl::Duration end_to_end);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_REQUEST_END_H_
