#ifndef WINDOWKV_ENGINE_TEXT_CHAT_TEMPLATE_H_
#define WINDOWKV_ENGINE_TEXT_CHAT_TEMPLATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/text/tokenizer.h"

namespace windowkv {

// A rendered conversation.
struct EncodedChat {
  // Half-open range of ids.
  struct Span {
    int32_t begin = 0;
    int32_t end = 0;
  };
  std::vector<int32_t> ids;
  std::vector<Span> messages;  // each message with its header and end of turn
};

// Renders chat messages the way a checkpoint was trained to read them. Families are recognised in
// the checkpoint's chat template (chat_template.jinja, or chat_template in tokenizer_config.json);
// the template language itself is not run. What a family's templates differ in is read from the
// text: whether it begins with the beginning-of-text token, whether content is trimmed, the system
// message of a conversation without one, and Llama 3.1's line with the date, which is the
// template's own default date and not today's. A value, constant after loading; thread-safe.
class ChatTemplate {
 public:
  struct Message {
    std::string_view role;
    std::string_view content;
  };

  // A family we do not know, or no template, gives a ChatTemplate whose Encode refuses.
  // INVALID_ARGUMENT: a malformed tokenizer_config.json.
  static absl::StatusOr<ChatTemplate> Load(const std::string& dir, const Tokenizer& tokenizer);

  // "llama3", "chatml", or empty.
  std::string_view family() const;

  // What Encode would refuse, without encoding: FAILED_PRECONDITION, INVALID_ARGUMENT.
  absl::Status Check(const std::vector<Message>& messages) const;

  // The prompt, beginning-of-text token and the assistant's header included. Special tokens'
  // spellings in a message's content are plain text, so a user cannot forge a turn. Roles are
  // system, user and assistant.
  // FAILED_PRECONDITION: no known template. INVALID_ARGUMENT: no message, an unknown role; the
  // field is "chat.messages" or below.
  absl::StatusOr<EncodedChat> Encode(const std::vector<Message>& messages,
                                     const Tokenizer& tokenizer) const;

 private:
  enum class Family { kUnknown, kLlama3, kChatMl };

  void Recognise(std::string_view text, const Tokenizer& tokenizer);
  void Refuse(std::string_view reason);
  EncodedChat EncodeLlama3(const std::vector<Message>& messages, const Tokenizer& tokenizer) const;
  EncodedChat EncodeChatMl(const std::vector<Message>& messages, const Tokenizer& tokenizer) const;
  std::string_view Content(const Message& message) const;

  Family family_ = Family::kUnknown;
  std::string refusal_;         // why the family is unknown
  std::optional<int32_t> bos_;  // put first
  bool trims_content_ = false;
  std::string default_system_;  // ChatML: put first when the messages have none; empty for none
  // Llama 3.1: begins the system message, which is there even when the messages have none.
  std::string system_preamble_;
  // The tokens around a role and after a content; ChatML has no end of header.
  int32_t start_of_turn_ = 0;
  int32_t end_of_header_ = 0;
  int32_t end_of_turn_ = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_CHAT_TEMPLATE_H_
