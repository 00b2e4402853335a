#ifndef WINDOWKV_CLIENT_LOAD_LOAD_REQUESTS_H_
#define WINDOWKV_CLIENT_LOAD_LOAD_REQUESTS_H_

#include <windowkv/v1/generation.pb.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "client/load/length_distribution.h"
#include "client/load/prompt_generator.h"

namespace windowkv::client {

struct LoadRequest {
  v1::GenerateRequest request;
  // Since it is sent. Unset: it is followed to its end.
  std::optional<absl::Duration> cancel_after;
};

// The requests of a run. A value; immutable and thread-safe.
class LoadRequests {
 public:
  struct GeneratedPrompts {
    LengthDistribution tokens;
    PromptGenerator generator;
  };
  struct Config {
    uint64_t seed = 0;
    // What all requests have in common. A request id gets the request's index behind it.
    v1::GenerateRequest request = {};
    // Unset: the prompt is the common request's.
    std::optional<GeneratedPrompts> prompts = std::nullopt;
    // Tokens to generate, exactly. Unset: as the common request says.
    std::optional<LengthDistribution> output_tokens = std::nullopt;
    // Share of requests to cancel, each after a time drawn evenly from up to `cancel_within`.
    double cancel_share = 0;
    absl::Duration cancel_within = absl::ZeroDuration();
  };

  explicit LoadRequests(Config config) : config_(std::move(config)) {}

  // Request `index`: the same for the same configuration, whatever was made before.
  LoadRequest Make(int64_t index) const;

 private:
  Config config_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_LOAD_REQUESTS_H_
