#ifndef WINDOWKV_SERVER_ROUTER_UNARY_FORWARD_H_
#define WINDOWKV_SERVER_ROUTER_UNARY_FORWARD_H_

#include <memory>
#include <set>
#include <utility>

#include "grpcpp/client_context.h"
#include "grpcpp/support/server_callback.h"
#include "server/router/backend_pool.h"
#include "server/router/forwarded_status.h"
#include "server/rpc/status_mapping.h"
#include "server/rpc/trace_context.h"

namespace windowkv {

// Hands one unary call to a healthy backend, and to another one while backends turn out to be
// unavailable. `Method` starts the call: method(stub, context, request, response, on_done). Keeps
// itself alive through its callbacks.
template <typename Request, typename Response, typename Method>
class UnaryForward : public std::enable_shared_from_this<UnaryForward<Request, Response, Method>> {
 public:
  // Returns the reactor of the call. `pool` outlives the server; request and response belong to
  // gRPC, which keeps them until the reactor finishes.
  static grpc::ServerUnaryReactor* Start(BackendPool* pool, grpc::CallbackServerContext* server,
                                         const Request* request, Response* response,
                                         Method method) {
    auto call = std::shared_ptr<UnaryForward>(
        new UnaryForward(pool, server, request, response, std::move(method)));
    grpc::ServerUnaryReactor* const reactor = call->reactor_;
    call->Try(ToGrpcStatus(pool->NoBackendError(), ""));
    return reactor;
  }

 private:
  UnaryForward(BackendPool* pool, grpc::CallbackServerContext* server, const Request* request,
               Response* response, Method method)
      : pool_(pool),
        server_(server),
        trace_(TraceContext::Of(server->client_metadata())),
        request_(request),
        response_(response),
        method_(std::move(method)),
        reactor_(server->DefaultReactor()) {}

  // Asks the best backend not tried yet; ends the call with `error` when none is left.
  void Try(const grpc::Status& error) {
    Backend* const backend = pool_->PickForCall(tried_);
    if (backend == nullptr) return reactor_->Finish(error);
    tried_.insert(backend);
    // Carries the client's deadline, its cancellation and its trace.
    context_ = grpc::ClientContext::FromCallbackServerContext(*server_);
    trace_.AddTo(context_.get());
    method_(backend->stub(), context_.get(), request_, response_,
            [self = this->shared_from_this(), backend](const grpc::Status& status) {
              self->OnDone(backend, status);
            });
  }

  void OnDone(Backend* backend, const grpc::Status& status) {
    // It holds the channel, which must not end on this thread of gRPC's when the router shuts down
    // after Finish.
    context_.reset();
    const grpc::Status forwarded = ForwardedStatus(status, backend->target(), "");
    if (IsOwnUnavailable(status)) backend->OnUnreachable(status.error_message());
    if (server_->IsCancelled()) return reactor_->Finish(StatusWithoutClient(status));
    if (forwarded.error_code() == grpc::StatusCode::UNAVAILABLE) return Try(forwarded);
    reactor_->Finish(forwarded);
  }

  BackendPool* const pool_;                    // not owned
  grpc::CallbackServerContext* const server_;  // not owned
  const TraceContext trace_;
  const Request* const request_;  // not owned
  Response* const response_;      // not owned
  const Method method_;
  grpc::ServerUnaryReactor* const reactor_;  // not owned
  std::set<const Backend*> tried_;
  std::unique_ptr<grpc::ClientContext> context_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_UNARY_FORWARD_H_
