#ifndef WINDOWKV_CLIENT_LOAD_PROMPT_GENERATOR_H_
#define WINDOWKV_CLIENT_LOAD_PROMPT_GENERATOR_H_

#include <windowkv/v1/generation.pb.h>

#include <string>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/seeded_random.h"

namespace windowkv::client {

// What a prompt's text comes to in tokens.
struct PromptRate {
  double tokens_per_byte = 0;
  // Of the beginning-of-text token, or of the chat template around the text.
  double around = 0;
};

// Writes prompts of a wanted length: English sentences, some of them with made-up names, drawn at
// random, so that no two prompts share a beginning. A value; immutable and thread-safe.
class PromptGenerator {
 public:
  // `rate` has more than 0 tokens per byte.
  explicit PromptGenerator(const PromptRate& rate) : rate_(rate) {}

  // Measures through the server's Tokenize call how long prompts of `request`, which has no prompt
  // yet, must be. Errors are the call's; INTERNAL: a long text has no more tokens than a short one.
  static absl::StatusOr<PromptGenerator> Measure(const v1::GenerateRequest& request, Client& client,
                                                 const CallOptions& options);

  // Comes to about `tokens` with what stands around it, and has one byte at least.
  std::string Write(int tokens, SeededRandom* random) const;

 private:
  PromptRate rate_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_LOAD_PROMPT_GENERATOR_H_
