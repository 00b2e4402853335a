#ifndef WINDOWKV_SERVER_ROUTER_BACKEND_STREAM_H_
#define WINDOWKV_SERVER_ROUTER_BACKEND_STREAM_H_

#include <memory>

#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "server/router/backend.h"
#include "windowkv/v1/generation.grpc.pb.h"

namespace windowkv {

// One Generate call to one backend, read message by message on demand. Deletes itself after it has
// told its reader about the end; gRPC's threads call it, one at a time.
class BackendStream final : public grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  // Told what comes. Outlives the stream's last call to it.
  class Reader {
   public:
    virtual ~Reader() = default;
    // A message, valid until Next or Abandon is called on `stream`.
    virtual void OnMessage(BackendStream* stream, const v1::GenerateResponse& message) = 0;
    // The last call, with the backend's status.
    virtual void OnEnd(const grpc::Status& status) = 0;
  };

  // Sends `request`, which must stay until OnMessage or OnEnd, and reads the first message.
  // `backend`'s stream was counted as open when it was picked; it is counted as closed before
  // OnEnd.
  static void Start(Backend* backend, std::shared_ptr<grpc::ClientContext> context,
                    const v1::GenerateRequest& request, Reader* reader);

  // After OnMessage, one of: read the next message, or cancel the call and read no more.
  void Next() { StartRead(&message_); }
  void Abandon();

 private:
  BackendStream(Backend* backend, std::shared_ptr<grpc::ClientContext> context, Reader* reader);

  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  Backend* const backend_;                        // not owned
  std::shared_ptr<grpc::ClientContext> context_;  // null once the call is over
  Reader* const reader_;                          // not owned
  v1::GenerateResponse message_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_BACKEND_STREAM_H_
