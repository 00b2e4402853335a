#ifndef WINDOWKV_ENGINE_RUNTIME_ENGINE_STATE_H_
#define WINDOWKV_ENGINE_RUNTIME_ENGINE_STATE_H_

#include <cstdint>

#include "engine/base/engine_metrics.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/scheduler/scheduler.h"

namespace windowkv {

// How busy the engine is and what its caches hold, for the metrics. `waiting`: requests that have
// not been admitted, wherever they wait.
EngineMetrics::State MakeEngineState(Scheduler& scheduler, const KvCacheManager& cache_manager,
                                     int32_t waiting);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_ENGINE_STATE_H_
