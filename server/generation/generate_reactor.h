#ifndef WINDOWKV_SERVER_GENERATION_GENERATE_REACTOR_H_
#define WINDOWKV_SERVER_GENERATION_GENERATE_REACTOR_H_

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "engine/request/token_stream.h"
#include "grpcpp/support/server_callback.h"
#include "server/generation/request_log.h"
#include "server/rpc/slow_readers.h"
#include "windowkv/v1/generation.pb.h"

namespace windowkv {

using GenerateWriter = grpc::ServerWriteReactor<v1::GenerateResponse>;

// Carries one request's events from the engine's token stream to the client. One write is in flight
// at most; while a slow client takes its time, the token stream merges what comes, until
// SlowReaders gives the request up.
//
// The engine thread only wakes it: converting and writing happen on gRPC's threads. Deletes itself
// when gRPC is done with it and no wake-up is under way.
class GenerateReactor final : public GenerateWriter, private SlowReaders::Call {
 public:
  // `slow_readers` outlives this; null: the client may read as slowly as it likes.
  GenerateReactor(std::string request_id, std::shared_ptr<TokenStream> stream, RequestLog log,
                  grpc::CallbackServerContext* context, SlowReaders* slow_readers);

  // Begins to take events. Called once, by whoever made it.
  void Begin();

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // SlowReaders::Call.
  void GiveUp() override;
  void Cut() override { slow_readers_->CutOff(context_); }

  // Called by the engine's threads when an event waits.
  void Wake();
  void OnWakeUp();

  void ProceedLocked();
  void WriteLocked(const StreamEvent& event);
  void EndLocked(const absl::Status& status);

  const std::string request_id_;
  const std::shared_ptr<TokenStream> stream_;
  const RequestLog log_;
  grpc::CallbackServerContext* const context_;  // not owned
  SlowReaders* const slow_readers_;             // not owned, may be null
  const absl::Duration deadline_;               // by MonotonicNow()

  std::mutex mu_;
  v1::GenerateResponse response_;  // belongs to gRPC while a write is in flight
  bool writing_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool ended_ WINDOWKV_GUARDED_BY(mu_) = false;      // Finish was called
  bool cancelled_ WINDOWKV_GUARDED_BY(mu_) = false;  // the client left or the deadline passed
  bool given_up_ WINDOWKV_GUARDED_BY(mu_) = false;   // the client did not read on
  bool waking_ WINDOWKV_GUARDED_BY(mu_) = false;     // a wake-up is under way
  bool done_ WINDOWKV_GUARDED_BY(mu_) = false;       // gRPC let go
};

// A call that ends with `status` before any message.
GenerateWriter* NewRefusal(const grpc::Status& status);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_GENERATE_REACTOR_H_
