#ifndef WINDOWKV_SERVER_GENERATION_GENERATION_SERVICE_H_
#define WINDOWKV_SERVER_GENERATION_GENERATION_SERVICE_H_

#include "engine/base/engine_metrics.h"
#include "engine/runtime/engine.h"
#include "server/generation/generate_reactor.h"
#include "server/generation/tokenize_method.h"
#include "server/rpc/logging.h"
#include "server/rpc/slow_readers.h"
#include "windowkv/v1/generation.grpc.pb.h"

namespace windowkv {

// GenerationService in front of an engine. Generate never blocks one of gRPC's threads; the unary
// methods run on threads that may, since tokenising a long text takes a while. Owned by main;
// outlives the gRPC server. Thread-safe.
class GenerationServiceImpl final
    : public v1::GenerationService::WithCallbackMethod_Generate<v1::GenerationService::Service> {
 public:
  // `engine` and `metrics` outlive this. `metrics` hears of requests refused before the engine saw
  // them; the engine tells it of the others. `slow_readers` outlives this too; without it a client
  // may read as slowly as it likes.
  GenerationServiceImpl(Engine* engine, EngineMetrics* metrics, Logger logger,
                        SlowReaders* slow_readers = nullptr);

  GenerateWriter* Generate(grpc::CallbackServerContext* context,
                           const v1::GenerateRequest* request) override;
  grpc::Status Tokenize(grpc::ServerContext* context, const v1::TokenizeRequest* request,
                        v1::TokenizeResponse* response) override;
  grpc::Status GetModelInfo(grpc::ServerContext* context, const v1::GetModelInfoRequest* request,
                            v1::ModelInfo* response) override;
  grpc::Status GetLoad(grpc::ServerContext* context, const v1::GetLoadRequest* request,
                       v1::Load* response) override;

 private:
  Engine* const engine_;
  EngineMetrics* const metrics_;
  const Logger logger_;
  SlowReaders* const slow_readers_;
  TokenizeMethod tokenize_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_GENERATION_SERVICE_H_
