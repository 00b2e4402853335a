#ifndef WINDOWKV_SERVER_ROUTER_GENERATE_RELAY_H_
#define WINDOWKV_SERVER_ROUTER_GENERATE_RELAY_H_

#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "grpcpp/support/server_callback.h"
#include "server/metrics/router_metrics.h"
#include "server/router/backend_pool.h"
#include "server/router/backend_stream.h"
#include "server/router/open_relays.h"
#include "server/router/task_decider.h"
#include "server/rpc/logging.h"
#include "server/rpc/slow_readers.h"
#include "server/rpc/trace_context.h"
#include "windowkv/v1/generation.pb.h"

namespace windowkv {

// What every relay works with. Nothing is owned; all of it outlives the gRPC server.
struct RelayContext {
  BackendPool* pool = nullptr;
  TaskDecider* decider = nullptr;
  RouterMetrics* metrics = nullptr;
  OpenRelays* open_relays = nullptr;
  SlowReaders* slow_readers = nullptr;
  Logger logger = Logger::Silent();
  // Other backends tried after the first.
  int max_retries = 2;
};

// One Generate call through the router: decide the task, pick a backend, hand its messages on. The
// backend's next message is read when the client's gRPC stream has taken the last one, so a slow
// client slows its backend down. Until a message has been handed on, a backend that is unavailable
// or full is replaced by another. Deletes itself when the call is over. gRPC's threads call it, one
// at a time, but for OnCancel, EndEarly, GiveUp and Cut, which may come beside any of the others.
class GenerateRelay final : public grpc::ServerWriteReactor<v1::GenerateResponse>,
                            private BackendStream::Reader,
                            private OpenRelays::Relay,
                            private SlowReaders::Call {
 public:
  static GenerateRelay* Start(const RelayContext& relay, grpc::CallbackServerContext* server,
                              v1::GenerateRequest request);

 private:
  GenerateRelay(const RelayContext& relay, grpc::CallbackServerContext* server,
                v1::GenerateRequest request);

  void Begin();
  void OnVerdict(std::optional<v1::TaskVerdict> verdict);
  // Sends the request to the best backend not tried yet; ends the call with `error` when none is
  // left.
  void Forward(const grpc::Status& error);
  // Of a request that another backend gets now, as the one before ended it with `status`.
  void RecordRetry(const grpc::Status& status);
  void ForgetPrompt();
  bool MayRetry(const grpc::Status& status) const;
  // Passes the status on with its details; one that gRPC itself made gets details of ours.
  grpc::Status WithDetails(const grpc::Status& status) const;
  void End(const grpc::Status& status);
  // The context of the next call this one makes: same deadline and trace, cancelled along with it.
  std::shared_ptr<grpc::ClientContext> NewContext();

  // Why the router itself ends the call; OK while it does not.
  absl::Status early_end();
  // Cancels the call now made to a backend or classifier, and any later one.
  void CancelOutgoing();
  bool cancelled();

  // BackendStream::Reader.
  void OnMessage(BackendStream* stream, const v1::GenerateResponse& message) override;
  void OnEnd(const grpc::Status& status) override;

  // OpenRelays::Relay.
  void EndEarly(const absl::Status& reason) override;

  // SlowReaders::Call.
  void GiveUp() override { EndEarly(relay_.slow_readers->Error()); }
  void Cut() override { relay_.slow_readers->CutOff(server_); }

  // grpc::ServerWriteReactor.
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  const RelayContext relay_;
  grpc::CallbackServerContext* const server_;  // not owned
  v1::GenerateRequest request_;  // as it is forwarded; only id and task once it cannot be retried
  const TraceContext trace_;
  Logger logger_;
  const absl::Duration arrival_;  // by MonotonicNow()

  BackendStream* stream_ = nullptr;  // whose message is being written; not owned
  Backend* backend_ = nullptr;       // picked last; not owned
  std::set<const Backend*> tried_;
  bool handed_on_ = false;  // a message went to the client
  int64_t messages_ = 0;
  grpc::Status status_;  // how the call ended

  std::mutex mu_;
  bool cancelled_ WINDOWKV_GUARDED_BY(mu_) = false;  // the client left, or EndEarly was called
  absl::Status early_end_ WINDOWKV_GUARDED_BY(mu_);
  std::shared_ptr<grpc::ClientContext> outgoing_ WINDOWKV_GUARDED_BY(mu_);  // of the call now made
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_GENERATE_RELAY_H_
