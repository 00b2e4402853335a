#ifndef WINDOWKV_TESTS_SERVER_GENERATION_PINNED_REQUESTS_H_
#define WINDOWKV_TESTS_SERVER_GENERATION_PINNED_REQUESTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/generation/live_generation_server.h"

namespace windowkv::testing {

inline void PinTokens(v1::GenerateRequest* request, int32_t begin, int32_t end) {
  v1::TokenRange* tokens = request->mutable_cache()->add_pinned()->mutable_tokens();
  tokens->set_begin(begin);
  tokens->set_end(end);
}

inline void PinCharacters(v1::GenerateRequest* request, int32_t begin, int32_t end) {
  v1::CharacterRange* range = request->mutable_cache()->add_pinned()->mutable_characters();
  range->set_begin(begin);
  range->set_end(end);
}

inline void PinMessage(v1::GenerateRequest* request, int32_t index) {
  request->mutable_cache()->add_pinned()->set_message(index);
}

inline v1::GenerateRequest TextRequest(const std::string& text,
                                       v1::CachePolicy policy = v1::CACHE_POLICY_STREAMING_LLM) {
  v1::GenerateRequest request = TokensRequest(0, policy);
  request.set_text(text);
  return request;
}

inline v1::GenerateRequest ChatRequest(
    const std::vector<std::pair<std::string, std::string>>& messages,
    v1::CachePolicy policy = v1::CACHE_POLICY_STREAMING_LLM) {
  v1::GenerateRequest request = TokensRequest(0, policy);
  for (const auto& [role, content] : messages) {
    v1::ChatMessage* message = request.mutable_chat()->add_messages();
    message->set_role(role);
    message->set_content(content);
  }
  return request;
}

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_SERVER_GENERATION_PINNED_REQUESTS_H_
