#include "engine/runtime/request_tokenizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/text/utf8.h"

namespace windowkv {
namespace {

absl::Status CheckTokens(const PromptTokens& tokens, int32_t vocab_size) {
  if (tokens.empty()) return InvalidField("token_ids", "is empty, must hold at least one id");
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < vocab_size) continue;
    return InvalidField(absl::StrCat("token_ids.ids[", i, "]"),
                        absl::StrCat("is ", tokens[i], ", must be in [0, ", vocab_size - 1, "]"));
  }
  return absl::OkStatus();
}

std::vector<ChatTemplate::Message> Messages(const PromptChat& chat) {
  std::vector<ChatTemplate::Message> messages;
  for (const ChatMessage& message : chat) messages.push_back({message.role, message.content});
  return messages;
}

}  // namespace

absl::StatusOr<RequestTokenizer> RequestTokenizer::Create(const std::string& dir,
                                                          int32_t vocab_size) {
  WINDOWKV_ASSIGN_OR_RETURN(std::unique_ptr<Tokenizer> tokenizer, LoadTokenizer(dir));
  if (tokenizer->vocab_size() > vocab_size) {
    return absl::InvalidArgumentError(absl::StrCat(dir, "/tokenizer.json: has ids up to ",
                                                   tokenizer->vocab_size() - 1,
                                                   ", config.json's vocab_size is ", vocab_size));
  }
  WINDOWKV_ASSIGN_OR_RETURN(ChatTemplate chat_template, ChatTemplate::Load(dir, *tokenizer));
  return RequestTokenizer(std::move(tokenizer), std::move(chat_template), vocab_size);
}

absl::Status RequestTokenizer::Check(const GenerationRequest& request) const {
  if (const auto* tokens = std::get_if<PromptTokens>(&request.prompt)) {
    return CheckTokens(*tokens, vocab_size_);
  }
  if (const auto* chat = std::get_if<PromptChat>(&request.prompt)) {
    return chat_template_.Check(Messages(*chat));
  }
  if (std::get<PromptText>(request.prompt).empty()) {
    return InvalidField("text", "is empty, must hold at least one character");
  }
  return absl::OkStatus();
}

std::vector<int32_t> RequestTokenizer::EncodeText(const PromptText& text) const {
  std::vector<int32_t> ids;
  if (const auto bos = tokenizer_->bos_id()) ids.push_back(*bos);
  const std::vector<int32_t> body = tokenizer_->Encode(text, SpecialTokens::kParse);
  // A text that already begins with the token keeps one.
  const bool repeated = !ids.empty() && !body.empty() && body.front() == ids.front();
  ids.insert(ids.end(), body.begin() + (repeated ? 1 : 0), body.end());
  return ids;
}

absl::StatusOr<EncodedPrompt> RequestTokenizer::Encode(const Prompt& prompt) const {
  if (const auto* text = std::get_if<PromptText>(&prompt))
    return EncodedPrompt{EncodeText(*text), {}};
  if (const auto* tokens = std::get_if<PromptTokens>(&prompt)) return EncodedPrompt{*tokens, {}};
  WINDOWKV_ASSIGN_OR_RETURN(
      EncodedChat chat, chat_template_.Encode(Messages(std::get<PromptChat>(prompt)), *tokenizer_));
  EncodedPrompt encoded{std::move(chat.ids), {}};
  for (const EncodedChat::Span& span : chat.messages) {
    encoded.messages.push_back({span.begin, span.end});
  }
  return encoded;
}

std::string RequestTokenizer::TokenText(int32_t id) const {
  const std::string bytes = tokenizer_->TokenBytes(id);
  std::string text;
  for (std::string_view rest = bytes; !rest.empty();) {
    const Utf8Char next = DecodeUtf8(rest);
    const bool valid = next.kind == Utf8Char::Kind::kValid;
    AppendUtf8(valid ? next.code_point : kReplacementCharacter, &text);
    rest.remove_prefix(next.length);
  }
  return text;
}

}  // namespace windowkv
