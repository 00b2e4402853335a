#ifndef WINDOWKV_SERVER_ROUTER_ROUTER_SERVICES_H_
#define WINDOWKV_SERVER_ROUTER_ROUTER_SERVICES_H_

#include "server/router/generate_relay.h"
#include "windowkv/v1/generation.grpc.pb.h"
#include "windowkv/v1/router.grpc.pb.h"

namespace windowkv {

// The service of a generation backend, answered by many: Generate, Tokenize and GetModelInfo go to
// one of them, GetLoad is their sum. Owned by main; outlives the gRPC server. Thread-safe.
class RoutedGenerationService final : public v1::GenerationService::CallbackService {
 public:
  explicit RoutedGenerationService(RelayContext relay) : relay_(std::move(relay)) {}

  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* GetModelInfo(grpc::CallbackServerContext* context,
                                         const v1::GetModelInfoRequest* request,
                                         v1::ModelInfo* response) override;
  grpc::ServerUnaryReactor* GetLoad(grpc::CallbackServerContext* context,
                                    const v1::GetLoadRequest* request, v1::Load* response) override;

 private:
  const RelayContext relay_;
};

// Shows operators the backends. Owned by main; outlives the gRPC server. Thread-safe.
class BackendListService final : public v1::RouterService::CallbackService {
 public:
  // `pool` outlives this.
  explicit BackendListService(const BackendPool* pool) : pool_(*pool) {}

  grpc::ServerUnaryReactor* ListBackends(grpc::CallbackServerContext* context,
                                         const v1::ListBackendsRequest* request,
                                         v1::ListBackendsResponse* response) override;

 private:
  const BackendPool& pool_;  // not owned
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_ROUTER_SERVICES_H_
