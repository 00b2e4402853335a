#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/text/chat_template.h"
#include "engine/text/white_space.h"
#include "tests/engine/text/chat_ml_tokens.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"
#include "tests/fuzz/token_checks.h"

namespace windowkv {
namespace {

using Messages = std::vector<ChatTemplate::Message>;

// A byte-level one, with the tokens of both families.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadDemoTokenizer() {
  std::ifstream file(SourceFile("deploy/models/demo_llama/tokenizer.json"));
  const ModelDirectory dir;
  dir.Write(
      "tokenizer.json",
      WithChatMlTokens(nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false)).dump());
  return LoadTokenizer(dir.path());
}

Messages ReadMessages(FuzzInput parts) {
  Messages messages;
  while (!parts.empty()) {
    const std::string_view part = parts.Part();
    const size_t colon = part.find(':');
    const size_t content = colon == std::string_view::npos ? part.size() : colon + 1;
    messages.push_back({part.substr(0, colon), part.substr(content)});
  }
  return messages;
}

std::string_view Trimmed(std::string_view text) {
  return StripLeadingSpace(StripTrailingSpace(text, &IsPythonSpace), &IsPythonSpace);
}

// A turn begins and ends with special tokens that no message can write: one turn for each message,
// one that the assistant is to go on with, and maybe one that the template puts first.
absl::Status CheckTurns(std::string_view family, const Tokenizer& tokenizer,
                        const std::vector<int32_t>& ids, size_t messages) {
  const bool llama3 = family == "llama3";
  const int32_t start = *tokenizer.IdOf(llama3 ? "<|start_header_id|>" : "<|im_start|>");
  const int32_t end = *tokenizer.IdOf(llama3 ? "<|eot_id|>" : "<|im_end|>");
  const int32_t header_end = *tokenizer.IdOf("<|end_header_id|>");
  // The token that begins a text may be any, even that of a turn.
  const bool has_bos = ids.front() != start || ids[1] == start;
  size_t starts = 0;
  size_t ends = 0;
  size_t headers = 0;
  for (auto id = ids.begin() + (has_bos ? 1 : 0); id != ids.end(); ++id) {
    if (*id == start) {
      ++starts;
    } else if (*id == end) {
      ++ends;
    } else if (llama3 && *id == header_end) {
      ++headers;
    } else if (tokenizer.IsSpecial(*id)) {
      return Broken("there is no special token inside a turn");
    }
  }
  if (starts != messages + 1 && starts != messages + 2) return Broken("each message is one turn");
  if (ends != starts - 1) return Broken("each turn but the last ends");
  if (headers != (llama3 ? starts : 0)) return Broken("each turn has a header");
  return absl::OkStatus();
}

absl::Status CheckSpans(const Tokenizer& tokenizer, const EncodedChat& chat,
                        const Messages& messages) {
  if (chat.messages.size() != messages.size()) return Broken("each message has its place");
  int32_t done = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    const EncodedChat::Span& span = chat.messages[i];
    if (span.begin < done || span.end <= span.begin ||
        span.end > static_cast<int32_t>(chat.ids.size())) {
      return Broken("messages stand in order inside the prompt");
    }
    done = span.end;
    const std::vector<int32_t> ids(chat.ids.begin() + span.begin, chat.ids.begin() + span.end);
    const std::string bytes = BytesOf(tokenizer, ids);
    for (const std::string_view written : {messages[i].role, Trimmed(messages[i].content)}) {
      if (bytes.find(written) == std::string::npos) return Broken("a message's place holds it");
    }
  }
  return absl::OkStatus();
}

}  // namespace

// Parts: tokenizer_config.json; then messages, each "role:content".
absl::Status FuzzChatTemplate(std::string_view input) {
  static const auto tokenizer = LoadDemoTokenizer();
  WINDOWKV_RETURN_IF_ERROR(tokenizer.status());
  FuzzInput parts(input);
  const ModelDirectory dir;
  dir.Write("tokenizer_config.json", parts.Part());
  const auto chat_template = ChatTemplate::Load(dir.path(), **tokenizer);
  if (!chat_template.ok()) {
    return CheckRefusal(chat_template.status(), {absl::StatusCode::kInvalidArgument}, dir.path());
  }
  const Messages messages = ReadMessages(parts);
  const absl::Status checked = chat_template->Check(messages);
  const auto chat = chat_template->Encode(messages, **tokenizer);
  if (checked != chat.status()) return Broken("a check foretells what is refused");
  if (chat_template->family().empty()) {
    return CheckRefusal(checked, {absl::StatusCode::kFailedPrecondition}, "");
  }
  if (!checked.ok()) {
    if (!FieldOf(checked)) return Broken("a refusal names the field");
    return CheckRefusal(checked, {absl::StatusCode::kInvalidArgument}, "");
  }
  WINDOWKV_RETURN_IF_ERROR(CheckIds(**tokenizer, chat->ids));
  WINDOWKV_RETURN_IF_ERROR(
      CheckTurns(chat_template->family(), **tokenizer, chat->ids, messages.size()));
  return CheckSpans(**tokenizer, *chat, messages);
}

}  // namespace windowkv
