#include "server/generation/engine_health.h"

#include <string>
#include <vector>

#include "absl/strings/str_join.h"

namespace windowkv {

bool EngineHealth::Check() {
  if (const absl::Status device = engine_->device_status(); !device.ok()) {
    if (!device_failed_)
      logger_.Error("the engine can not go on", {{"error", std::string(device.message())}});
    device_failed_ = true;
    return false;
  }
  const absl::Duration age = engine_->heartbeat_age();
  const bool stuck = age >= timeout_;
  if (stuck && !stuck_) {
    const std::vector<std::string> ids = engine_->step_request_ids();
    logger_.Error("the engine is stuck in a step",
                  {{"since", age}, {"request_ids", absl::StrJoin(ids, ",")}});
  }
  if (!stuck && stuck_) logger_.Info("the engine goes on");
  stuck_ = stuck;
  return !stuck;
}

}  // namespace windowkv
