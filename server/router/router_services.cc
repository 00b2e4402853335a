#include "server/router/router_services.h"

#include <utility>

#include "server/router/unary_forward.h"

namespace windowkv {
namespace {

template <typename Request, typename Response, typename Method>
grpc::ServerUnaryReactor* ForwardUnary(BackendPool* pool, grpc::CallbackServerContext* context,
                                       const Request* request, Response* response, Method method) {
  return UnaryForward<Request, Response, Method>::Start(pool, context, request, response,
                                                        std::move(method));
}

}  // namespace

grpc::ServerWriteReactor<v1::GenerateResponse>* RoutedGenerationService::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  // gRPC made the request for this call alone, and would keep it as long as the stream runs.
  return GenerateRelay::Start(relay_, context,
                              std::move(*const_cast<v1::GenerateRequest*>(request)));
}

grpc::ServerUnaryReactor* RoutedGenerationService::Tokenize(grpc::CallbackServerContext* context,
                                                            const v1::TokenizeRequest* request,
                                                            v1::TokenizeResponse* response) {
  return ForwardUnary(relay_.pool, context, request, response,
                      [](v1::GenerationService::Stub& stub, auto... arguments) {
                        stub.async()->Tokenize(std::move(arguments)...);
                      });
}

grpc::ServerUnaryReactor* RoutedGenerationService::GetModelInfo(
    grpc::CallbackServerContext* context, const v1::GetModelInfoRequest* request,
    v1::ModelInfo* response) {
  return ForwardUnary(relay_.pool, context, request, response,
                      [](v1::GenerationService::Stub& stub, auto... arguments) {
                        stub.async()->GetModelInfo(std::move(arguments)...);
                      });
}

grpc::ServerUnaryReactor* RoutedGenerationService::GetLoad(grpc::CallbackServerContext* context,
                                                           const v1::GetLoadRequest*,
                                                           v1::Load* response) {
  *response = relay_.pool->TotalLoad();
  if (relay_.open_relays->draining()) response->set_accepting(false);
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* BackendListService::ListBackends(grpc::CallbackServerContext* context,
                                                           const v1::ListBackendsRequest*,
                                                           v1::ListBackendsResponse* response) {
  for (const auto& backend : pool_.backends()) *response->add_backends() = backend->Describe();
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace windowkv
