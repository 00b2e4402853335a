#ifndef WINDOWKV_SERVER_RPC_SERVER_PROCESS_H_
#define WINDOWKV_SERVER_RPC_SERVER_PROCESS_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "grpcpp/impl/codegen/service_type.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "server/rpc/connection_listener.h"
#include "server/rpc/health_service.h"
#include "server/rpc/host_port.h"
#include "server/rpc/logging.h"
#include "server/rpc/server_options.h"
#include "server/rpc/shutdown_signals.h"

namespace windowkv {

// What a server process serves. Everything pointed to outlives the process object.
struct ServedProgram {
  struct Service {
    std::string name;  // for health: v1::GenerationService::service_full_name()
    grpc::Service* service = nullptr;
  };
  std::vector<Service> services;

  // Asked every `health_interval` by a thread of the process's own; quick. Unset: always healthy.
  std::function<bool()> is_healthy;
  // Asked with it. True: the process shuts down as after a signal and main's exit code is 1, so
  // that a supervisor starts it again. Unset: never.
  std::function<bool()> has_failed = nullptr;
  absl::Duration health_interval = absl::Seconds(1);

  // Called once at shutdown, after health turned NOT_SERVING and while RPCs are still served:
  // refuses new work and waits for the accepted, at most this long. Unset: running RPCs get that
  // time.
  std::function<void(absl::Duration timeout)> drain;
};

// The life of a server: listens with health and reflection beside the program's services, says that
// it is ready, waits for a signal, drains, stops. Owned by main.
class ServerProcess {
 public:
  // What Start and the HTTP endpoint would refuse: TLS files, and addresses that are taken. For a
  // program that loads for a while before it starts.
  static absl::Status Check(const ServerOptions& options);
  // Listens and serves. Errors: INVALID_ARGUMENT (TLS files), UNAVAILABLE (the address is taken).
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const ServerOptions& options,
                                                              ServedProgram program, Logger logger);
  // Shuts down, without waiting for running RPCs, unless that was done.
  ~ServerProcess();

  // The gRPC address in use, the port a real one.
  const HostPort& address() const { return listener_->address(); }

  // True while healthy, false once shutdown began: what /readyz says. Any thread.
  bool serving() const;
  // The program's own health, whether draining or not: what /livez says. Any thread.
  bool healthy() const;

  // Prints the ready line to stdout, waits for a signal and shuts down. Returns main's exit code.
  int ServeUntilSignal(const HostPort& http, ShutdownSignals& signals);

  // Health NOT_SERVING, drain, stop. At most drain_timeout and a moment for the last writes.
  void Shutdown();

 private:
  ServerProcess(const ServerOptions& options, ServedProgram program, Logger logger);
  absl::Status Listen();
  void UpdateHealth();
  void EndIfFailed();
  void ProbeHealth();  // the probe thread
  // Health NOT_SERVING for good. False when that was done before.
  bool StopServing();
  void StopProbe();
  // Running RPCs may go on for `timeout`.
  void Stop(absl::Duration timeout);

  const ServerOptions options_;
  const ServedProgram program_;
  const Logger logger_;
  HealthService health_;
  std::unique_ptr<ConnectionListener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;

  mutable std::mutex mu_;
  std::condition_variable probed_cv_;
  bool healthy_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool stopping_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool probed_ WINDOWKV_GUARDED_BY(mu_) = false;  // the probe thread is to end
  bool failed_ WINDOWKV_GUARDED_BY(mu_) = false;
  std::thread probe_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_SERVER_PROCESS_H_
