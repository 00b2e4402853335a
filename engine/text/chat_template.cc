#include "engine/text/chat_template.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/base/status.h"
#include "engine/json/json_node.h"
#include "engine/text/beginning_of_text.h"
#include "engine/text/white_space.h"

namespace windowkv {
namespace {

constexpr std::string_view kSystem = "system";
constexpr std::array<std::string_view, 3> kRoles = {kSystem, "user", "assistant"};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What stands between `before` and `after`, at the first place at or after `from` where both are.
std::optional<std::string_view> Between(std::string_view text, std::string_view before,
                                        std::string_view after, size_t from = 0) {
  const size_t start = text.find(before, from);
  if (start == std::string_view::npos) return std::nullopt;
  const size_t begin = start + before.size();
  const size_t end = text.find(after, begin);
  if (end == std::string_view::npos) return std::nullopt;
  return text.substr(begin, end - begin);
}

std::string Unescaped(std::string_view literal) {
  return absl::StrReplaceAll(ToAbsl(literal),
                             {{"\\n", "\n"}, {"\\'", "'"}, {"\\\"", "\""}, {"\\\\", "\\"}});
}

// The template of a tokenizer_config.json, which may also be a list of named ones.
absl::StatusOr<std::string> TemplateOf(const JsonNode& entry) {
  if (entry.is_null()) return std::string();
  if (!entry.is_array()) return entry.String();
  for (size_t i = 0; i < entry.size(); ++i) {
    if (entry[i]["name"].value() == "default") return entry[i]["template"].String();
  }
  return std::string();
}

// A system message written out in a ChatML template: the text of a whole system turn, as opposed to
// an expression.
std::string DefaultSystemOf(std::string_view text) {
  for (const std::string_view header : {"<|im_start|>system\\n", "<|im_start|>system\n"}) {
    for (size_t at = text.find(header); at != std::string_view::npos;
         at = text.find(header, at + 1)) {
      const auto turn = Between(text, header, "<|im_end|>", at);
      if (!turn || turn->empty() || Contains(*turn, "{{") || Contains(*turn, "{%")) continue;
      if (turn->front() == '\'' || turn->front() == '"') continue;
      return Unescaped(*turn);
    }
  }
  return {};
}

// Collects a prompt; the text between two special tokens is encoded as one piece.
class PromptWriter {
 public:
  explicit PromptWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void Token(int32_t id) {
    EncodeText();
    chat_.ids.push_back(id);
  }
  void Text(std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) text_ += part;
  }
  // A message begins and ends at a special token.
  void BeginMessage() { chat_.messages.push_back({Size(), 0}); }
  void EndMessage() { chat_.messages.back().end = Size(); }
  EncodedChat Finish() && {
    EncodeText();
    return std::move(chat_);
  }

 private:
  int32_t Size() {
    EncodeText();
    return static_cast<int32_t>(chat_.ids.size());
  }
  void EncodeText() {
    const std::vector<int32_t> ids = tokenizer_.Encode(text_, SpecialTokens::kAsText);
    chat_.ids.insert(chat_.ids.end(), ids.begin(), ids.end());
    text_.clear();
  }

  const Tokenizer& tokenizer_;
  std::string text_;
  EncodedChat chat_;
};

}  // namespace

absl::StatusOr<ChatTemplate> ChatTemplate::Load(const std::string& dir,
                                                const Tokenizer& tokenizer) {
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode config,
                            JsonNode::ReadOptionalFile(dir + "/tokenizer_config.json"));
  WINDOWKV_ASSIGN_OR_RETURN(std::string text, TemplateOf(config["chat_template"]));
  if (std::ifstream file(dir + "/chat_template.jinja", std::ios::binary); file) {
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  ChatTemplate result;
  result.Recognise(text, tokenizer);
  if (const std::string* bos = SpellingOf(config["bos_token"]);
      bos != nullptr && (Contains(text, "bos_token") || Contains(text, *bos))) {
    result.bos_ = tokenizer.IdOf(*bos);
    if (!result.bos_) return config["bos_token"].Expected("a token of the vocabulary");
  }
  return result;
}

void ChatTemplate::Refuse(std::string_view reason) {
  family_ = Family::kUnknown;
  refusal_ = reason;
}

void ChatTemplate::Recognise(std::string_view text, const Tokenizer& tokenizer) {
  std::vector<std::pair<std::string_view, int32_t*>> tokens;
  if (Contains(text, "<|start_header_id|>")) {
    family_ = Family::kLlama3;
    tokens = {{"<|start_header_id|>", &start_of_turn_},
              {"<|end_header_id|>", &end_of_header_},
              {"<|eot_id|>", &end_of_turn_}};
  } else if (Contains(text, "<|im_start|>")) {
    family_ = Family::kChatMl;
    tokens = {{"<|im_start|>", &start_of_turn_}, {"<|im_end|>", &end_of_turn_}};
  } else {
    return Refuse(text.empty() ? "there is none" : "it is neither Llama 3's nor ChatML");
  }
  if (Contains(text, "</think>")) return Refuse("it rewrites earlier answers");
  for (const auto& [spelling, id] : tokens) {
    const std::optional<int32_t> found = tokenizer.IdOf(spelling);
    // Were it an ordinary token, its spelling in a message would forge a turn.
    if (!found || !tokenizer.IsSpecial(*found) || !Contains(text, spelling)) {
      return Refuse(absl::StrCat(ToAbsl(spelling), " is no special token of the checkpoint"));
    }
    *id = *found;
  }
  trims_content_ = Contains(text, "| trim") || Contains(text, "|trim");
  if (family_ == Family::kChatMl) default_system_ = DefaultSystemOf(text);
  if (family_ == Family::kLlama3 && Contains(text, "Cutting Knowledge Date")) {
    const auto cutting = Between(text, "Cutting Knowledge Date:", "\\n");
    const auto date = Between(text, "date_string = \"", "\"");
    if (!cutting || !date) return Refuse("its system message is not Llama 3.1's");
    system_preamble_ = absl::StrCat("Cutting Knowledge Date:", ToAbsl(*cutting),
                                    "\nToday Date: ", ToAbsl(*date), "\n\n");
  }
}

std::string_view ChatTemplate::family() const {
  switch (family_) {
    case Family::kLlama3:
      return "llama3";
    case Family::kChatMl:
      return "chatml";
    case Family::kUnknown:
      break;
  }
  return "";
}

std::string_view ChatTemplate::Content(const Message& message) const {
  if (!trims_content_) return message.content;
  return StripLeadingSpace(StripTrailingSpace(message.content, &IsPythonSpace), &IsPythonSpace);
}

absl::Status ChatTemplate::Check(const std::vector<Message>& messages) const {
  if (family_ == Family::kUnknown) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the checkpoint's chat template can't be followed: ", refusal_, "; send plain text"));
  }
  if (messages.empty()) return InvalidField("chat.messages", "is empty, must have a message");
  for (size_t i = 0; i < messages.size(); ++i) {
    if (std::find(kRoles.begin(), kRoles.end(), messages[i].role) != kRoles.end()) continue;
    return InvalidField(
        absl::StrCat("chat.messages[", i, "].role"),
        absl::StrCat("is \"", ToAbsl(messages[i].role), "\", must be system, user or assistant"));
  }
  return absl::OkStatus();
}

absl::StatusOr<EncodedChat> ChatTemplate::Encode(const std::vector<Message>& messages,
                                                 const Tokenizer& tokenizer) const {
  WINDOWKV_RETURN_IF_ERROR(Check(messages));
  return family_ == Family::kLlama3 ? EncodeLlama3(messages, tokenizer)
                                    : EncodeChatMl(messages, tokenizer);
}

EncodedChat ChatTemplate::EncodeLlama3(const std::vector<Message>& messages,
                                       const Tokenizer& tokenizer) const {
  PromptWriter writer(tokenizer);
  const auto header = [&](std::string_view role) {
    writer.Token(start_of_turn_);
    writer.Text({role});
    writer.Token(end_of_header_);
    writer.Text({"\n\n"});
  };
  if (bos_) writer.Token(*bos_);
  auto message = messages.begin();
  if (!system_preamble_.empty()) {
    const bool given = message->role == kSystem;
    if (given) writer.BeginMessage();
    header(kSystem);
    writer.Text({system_preamble_, given ? Content(*message) : ""});
    writer.Token(end_of_turn_);
    if (given) {
      writer.EndMessage();
      ++message;
    }
  }
  for (; message != messages.end(); ++message) {
    writer.BeginMessage();
    header(message->role);
    writer.Text({Content(*message)});
    writer.Token(end_of_turn_);
    writer.EndMessage();
  }
  header("assistant");
  return std::move(writer).Finish();
}

EncodedChat ChatTemplate::EncodeChatMl(const std::vector<Message>& messages,
                                       const Tokenizer& tokenizer) const {
  PromptWriter writer(tokenizer);
  const auto turn = [&](std::string_view role, std::string_view content) {
    writer.Token(start_of_turn_);
    writer.Text({role, "\n", content});
    writer.Token(end_of_turn_);
    writer.Text({"\n"});
  };
  if (bos_) writer.Token(*bos_);
  if (!default_system_.empty() && messages.front().role != kSystem) {
    turn(kSystem, default_system_);
  }
  for (const Message& message : messages) {
    writer.BeginMessage();
    turn(message.role, Content(message));
    writer.EndMessage();
  }
  writer.Token(start_of_turn_);
  writer.Text({"assistant\n"});
  return std::move(writer).Finish();
}

}  // namespace windowkv
