#ifndef WINDOWKV_TESTS_ENGINE_TEXT_DECODED_AT_ONCE_H_
#define WINDOWKV_TESTS_ENGINE_TEXT_DECODED_AT_ONCE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"
#include "engine/text/utf8.h"

namespace windowkv {

// All bytes at once: what one lossy conversion gives.
inline std::string DecodedAtOnce(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string bytes;
  for (const int32_t id : ids) {
    if (!tokenizer.IsSpecial(id)) bytes += tokenizer.TokenBytes(id);
  }
  if (tokenizer.strips_leading_space() && bytes.starts_with(' ')) bytes.erase(0, 1);
  std::string text;
  for (std::string_view rest = bytes; !rest.empty();) {
    const Utf8Char c = DecodeUtf8(rest);
    if (c.kind == Utf8Char::Kind::kValid) {
      text += rest.substr(0, c.length);
    } else {
      AppendUtf8(kReplacementCharacter, &text);
    }
    rest.remove_prefix(c.length);
  }
  return text;
}

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_TEXT_DECODED_AT_ONCE_H_
