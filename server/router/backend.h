#ifndef WINDOWKV_SERVER_ROUTER_BACKEND_H_
#define WINDOWKV_SERVER_ROUTER_BACKEND_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/base/thread_annotations.h"
#include "grpcpp/channel.h"
#include "server/metrics/router_metrics.h"
#include "server/router/server_channel.h"
#include "server/rpc/logging.h"
#include "windowkv/v1/generation.grpc.pb.h"
#include "windowkv/v1/router.pb.h"

namespace windowkv {

// One generation server: its connection, its last load report, and the streams this router has open
// on it. Owned by a BackendPool. Thread-safe.
class Backend {
 public:
  // `target` is HOST:PORT. `metrics` outlives this.
  Backend(std::string target, RouterMetrics* metrics, Logger logger,
          const ServerChannelOptions& channel = {});

  const std::string& target() const { return target_; }
  v1::GenerationService::Stub& stub() const { return *stub_; }

  bool healthy() const;
  // Asked before, and not healthy.
  bool known_down() const;
  // The state to show to operators.
  v1::Backend Describe() const;

  // KV blocks expected to be free: the last report's, less what streams opened since it will take.
  // How much a stream takes is not known here, so each counts as the average of those running, or
  // as a sixteenth of the pool when none runs. Nothing when unhealthy.
  std::optional<int64_t> ExpectedFreeBlocks() const;
  int open_streams() const;

  void OnStreamOpened();
  void OnStreamClosed();

  // Streams opened so far; taken when a load report is asked for, and handed in with it.
  uint64_t opened() const;
  void OnLoadReport(const v1::Load& load, uint64_t opened_before);
  // It did not answer: unhealthy until the next load report.
  void OnUnreachable(std::string_view reason);

 private:
  void SetHealthyLocked(bool healthy, std::string_view reason);

  const std::string target_;
  RouterMetrics* const metrics_;  // not owned
  const Logger logger_;
  const std::unique_ptr<v1::GenerationService::Stub> stub_;

  mutable std::mutex mu_;
  bool healthy_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool reported_ WINDOWKV_GUARDED_BY(mu_) = false;  // asked at least once, answered or not
  v1::Load load_ WINDOWKV_GUARDED_BY(mu_);
  int open_streams_ WINDOWKV_GUARDED_BY(mu_) = 0;
  uint64_t opened_ WINDOWKV_GUARDED_BY(mu_) = 0;
  uint64_t opened_before_report_ WINDOWKV_GUARDED_BY(mu_) = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_BACKEND_H_
