#include "engine/text/white_space.h"

#include <optional>

#include "engine/text/utf8.h"

namespace windowkv {

bool IsWhiteSpace(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool IsPythonSpace(char32_t c) { return IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

std::string_view StripLeadingSpace(std::string_view text, bool (*is_space)(char32_t)) {
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    if (c.kind != Utf8Char::Kind::kValid || !is_space(c.code_point)) break;
    text.remove_prefix(c.length);
  }
  return text;
}

std::string_view StripTrailingSpace(std::string_view text, bool (*is_space)(char32_t)) {
  while (const std::optional<Utf8Char> c = DecodeLastUtf8(text)) {
    if (!is_space(c->code_point)) break;
    text.remove_suffix(c->length);
  }
  return text;
}

}  // namespace windowkv
