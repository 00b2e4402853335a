#ifndef WINDOWKV_SERVER_GENERATION_ENGINE_HEALTH_H_
#define WINDOWKV_SERVER_GENERATION_ENGINE_HEALTH_H_

#include "absl/time/time.h"
#include "engine/runtime/engine.h"
#include "server/rpc/logging.h"

namespace windowkv {

// Whether the engine thread still gets on, by its heartbeat: however long a prompt is, a slice of
// it is done soon. Logs the requests of the step in which it is stuck, once each time, and the end
// of its device. Owned by main; asked by one thread, the server process's probe.
class EngineHealth {
 public:
  // `engine` outlives this. `timeout`: after which a step counts as stuck.
  EngineHealth(const Engine* engine, absl::Duration timeout, Logger logger)
      : engine_(engine), timeout_(timeout), logger_(std::move(logger)) {}

  bool Check();
  // Nothing but another process can go on.
  bool HasFailed() const { return !engine_->device_status().ok(); }

 private:
  const Engine* const engine_;
  const absl::Duration timeout_;
  const Logger logger_;
  bool stuck_ = false;
  bool device_failed_ = false;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_ENGINE_HEALTH_H_
