#ifndef WINDOWKV_ENGINE_RUNTIME_REQUEST_TOKENIZER_H_
#define WINDOWKV_ENGINE_RUNTIME_REQUEST_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/request/generation_request.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace windowkv {

// The ids of a prompt, and where a chat's messages stand in them.
struct EncodedPrompt {
  std::vector<int32_t> ids;
  std::vector<TokenRange> messages;
};

// Turns a request's input into the ids the model reads. Constant after Create; thread-safe.
class RequestTokenizer {
 public:
  // Reads the model directory's tokenizer and chat template. INVALID_ARGUMENT when the tokenizer
  // has ids that the model has not.
  static absl::StatusOr<RequestTokenizer> Create(const std::string& dir, int32_t vocab_size);

  // Cheap checks of an input, before it is queued: INVALID_ARGUMENT (empty input, an id out of
  // range, a bad chat message), FAILED_PRECONDITION (chat input without a known template).
  absl::Status Check(const GenerationRequest& request) const;

  absl::StatusOr<EncodedPrompt> Encode(const Prompt& prompt) const;

  // The text of one token alone, special tokens included; always valid UTF-8.
  std::string TokenText(int32_t id) const;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  std::string_view chat_family() const { return chat_template_.family(); }

 private:
  std::vector<int32_t> EncodeText(const PromptText& text) const;

  RequestTokenizer(std::unique_ptr<Tokenizer> tokenizer, ChatTemplate chat_template,
                   int32_t vocab_size)
      : tokenizer_(std::move(tokenizer)),
        chat_template_(std::move(chat_template)),
        vocab_size_(vocab_size) {}

  std::unique_ptr<Tokenizer> tokenizer_;
  ChatTemplate chat_template_;
  int32_t vocab_size_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_REQUEST_TOKENIZER_H_
