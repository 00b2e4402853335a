#ifndef WINDOWKV_SERVER_ROUTER_BACKEND_POOL_H_
#define WINDOWKV_SERVER_ROUTER_BACKEND_POOL_H_

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/router/backend.h"
#include "windowkv/v1/generation.pb.h"

namespace windowkv {

// The generation servers of a router, and the choice among them. Owned by main; outlives the
// services and the load poller. Thread-safe.
class BackendPool {
 public:
  // `targets`: HOST:PORT each, at least one. `metrics` outlives this.
  BackendPool(const std::vector<std::string>& targets, RouterMetrics* metrics, const Logger& logger,
              const ServerChannelOptions& channel = {});

  // Constant after construction, in configured order.
  const std::vector<std::unique_ptr<Backend>>& backends() const { return backends_; }

  // The healthy backend with the most free KV blocks, not in `tried`; on a tie the one with fewer
  // open streams. Its stream counts as open from here on: the caller calls OnStreamClosed once it
  // has ended. Null when there is none.
  Backend* PickForStream(const std::set<const Backend*>& tried);
  // The same choice for a unary call, which takes no KV blocks.
  Backend* PickForCall(const std::set<const Backend*>& tried) const;

  bool AnyHealthy() const;
  // Sums over the healthy backends' last reports; accepting when there is one.
  v1::Load TotalLoad() const;

  // UNAVAILABLE: what a call gets when nothing is left to pick.
  absl::Status NoBackendError() const;

 private:
  std::vector<std::unique_ptr<Backend>> backends_;
  // Makes choosing a backend and counting its stream one step.
  std::mutex pick_mu_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_BACKEND_POOL_H_
