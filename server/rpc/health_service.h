#ifndef WINDOWKV_SERVER_RPC_HEALTH_SERVICE_H_
#define WINDOWKV_SERVER_RPC_HEALTH_SERVICE_H_

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "engine/base/thread_annotations.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace windowkv {

// grpc.health.v1 per service name; the empty name is the whole server. Check answers NOT_FOUND for
// a name that was never set; Watch answers SERVICE_UNKNOWN for it and goes on when it is set. Owned
// by the server process, which outlives the gRPC server that it is registered with. Thread-safe.
class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

  HealthService() = default;
  ~HealthService() override = default;

  // Tells every watcher of `name` when its status changes.
  void SetServing(std::string_view name, bool serving);
  // The same for every name set so far.
  void SetAllServing(bool serving);
  // Ends every Watch, and those that come later, after its last status, so that they do not hold up
  // the server's shutdown.
  void EndWatches();

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class Watcher;

  void SetLocked(const std::string& name, ServingStatus status);
  ServingStatus StatusLocked(const std::string& name) const;
  void Remove(Watcher* watcher);

  mutable std::mutex mu_;
  std::map<std::string, ServingStatus, std::less<>> statuses_ WINDOWKV_GUARDED_BY(mu_);
  // Each watcher removes itself before gRPC lets it delete itself.
  std::set<Watcher*> watchers_ WINDOWKV_GUARDED_BY(mu_);
  bool ended_ WINDOWKV_GUARDED_BY(mu_) = false;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_HEALTH_SERVICE_H_
