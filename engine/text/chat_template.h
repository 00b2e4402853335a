#ifndef WINDOWKV_ENGINE_TEXT_CHAT_TEMPLATE_H_
#define WINDOWKV_ENGINE_TEXT_CHAT_TEMPLATE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/text/tokenizer.h"

namespace windowkv {

// Renders chat messages the way a checkpoint was trained to read them. Families are recognised in
// the checkpoint's chat_template (tokenizer_config.json, or chat_template.jinja); the template
// language itself is not run. A value, constant after loading.
class ChatTemplate {
 public:
  struct Message {
    std::string_view role;
    std::string_view content;
  };

  // A family we do not know, or no template, gives a ChatTemplate whose Encode refuses.
  static absl::StatusOr<ChatTemplate> Load(const std::string& dir, const Tokenizer& tokenizer);

  // "llama3", "chatml", or empty.
  std::string_view family() const;

  // The prompt's ids, beginning-of-text token and the assistant's header included. Special tokens'
  // spellings in a message's content are plain text, so a user cannot forge a turn.
  // FAILED_PRECONDITION: no known template. INVALID_ARGUMENT: no message, an unknown role.
  absl::StatusOr<std::vector<int32_t>> Encode(const std::vector<Message>& messages,
                                              const Tokenizer& tokenizer) const;

 private:
  enum class Family { kUnknown, kLlama3, kChatMl };
  Family family_ = Family::kUnknown;
  bool begins_with_bos_ = false;
  bool trims_content_ = false;
  std::string default_system_;  // put first when the messages have none; empty for none
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_CHAT_TEMPLATE_H_
