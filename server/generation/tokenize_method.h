#ifndef WINDOWKV_SERVER_GENERATION_TOKENIZE_METHOD_H_
#define WINDOWKV_SERVER_GENERATION_TOKENIZE_METHOD_H_

#include <cstdint>
#include <functional>
#include <mutex>

#include "absl/status/status.h"
#include "engine/base/thread_annotations.h"
#include "engine/runtime/engine.h"
#include "windowkv/v1/generation.pb.h"

namespace windowkv {

// The Tokenize method. Encoding takes some forty times a text's bytes, so what is encoded at once
// is bounded, for one call and for all. Owned by the service; thread-safe.
class TokenizeMethod {
 public:
  // `engine` outlives this.
  explicit TokenizeMethod(const Engine* engine) : engine_(engine) {}

  // Runs on the caller's thread. Errors: INVALID_ARGUMENT (no input), OUT_OF_RANGE naming the field
  // (more bytes than a prompt that fits the context can have), RESOURCE_EXHAUSTED with a retry
  // delay (other calls are at too much), CANCELLED (`cancelled` says so), the engine's own.
  absl::Status Run(const v1::TokenizeRequest& request, const std::function<bool()>& cancelled,
                   v1::TokenizeResponse* response);

 private:
  class Share;

  absl::Status CheckLength(const v1::TokenizeRequest& request, int64_t bytes) const;

  const Engine* const engine_;
  std::mutex mu_;
  int64_t bytes_now_ WINDOWKV_GUARDED_BY(mu_) = 0;  // of the calls that run
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_TOKENIZE_METHOD_H_
