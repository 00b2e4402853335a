#include "engine/text/streaming_detokenizer.h"

#include <string_view>

#include "engine/text/utf8.h"

namespace windowkv {

std::string StreamingDetokenizer::Push(int32_t id) {
  if (tokenizer_->IsSpecial(id)) return {};
  std::string bytes = tokenizer_->TokenBytes(id);
  if (bytes.empty()) return {};
  if (at_start_ && tokenizer_->strips_leading_space() && bytes.front() == ' ') bytes.erase(0, 1);
  at_start_ = false;
  pending_ += bytes;

  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Char c = DecodeUtf8(rest);
    if (c.kind == Utf8Char::Kind::kIncomplete) break;
    if (c.kind == Utf8Char::Kind::kValid) {
      text += rest.substr(0, c.length);
    } else {
      AppendUtf8(kReplacementCharacter, &text);
    }
    rest.remove_prefix(c.length);
  }
  pending_ = std::string(rest);
  return text;
}

std::string StreamingDetokenizer::Flush() {
  std::string text;
  if (!pending_.empty()) AppendUtf8(kReplacementCharacter, &text);
  pending_.clear();
  return text;
}

}  // namespace windowkv
