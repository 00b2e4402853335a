#ifndef WINDOWKV_ENGINE_RUNTIME_PINNED_SPANS_H_
#define WINDOWKV_ENGINE_RUNTIME_PINNED_SPANS_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/cache_policy/cache_config.h"
#include "engine/request/generation_request.h"
#include "engine/runtime/request_tokenizer.h"

namespace windowkv {

// Whether the request's pinned spans fit its kind of prompt: characters need a text, messages and
// the system prompt a chat that has them. INVALID_ARGUMENT naming the span.
absl::Status CheckPinnedSpans(const GenerationRequest& request);

// The tokens that the request's pinned spans and its system prompt, when pinned, stand for; in no
// order. INVALID_ARGUMENT naming a span that ends outside the prompt, or characters in a text that
// the tokenizer rewrites.
absl::StatusOr<std::vector<TokenRange>> ResolvePinnedSpans(const GenerationRequest& request,
                                                           const EncodedPrompt& prompt,
                                                           const Tokenizer& tokenizer);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_PINNED_SPANS_H_
