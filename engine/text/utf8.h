#ifndef WINDOWKV_ENGINE_TEXT_UTF8_H_
#define WINDOWKV_ENGINE_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace windowkv {

// The character that a byte string begins with, or the bytes that are none.
struct Utf8Char {
  enum class Kind {
    kValid,
    kInvalid,     // these bytes can't become a character, whatever follows
    kIncomplete,  // the text ends inside what may become a character
  };
  Kind kind = Kind::kValid;
  char32_t code_point = 0;  // meaningful when valid
  // Bytes taken. Of an invalid sequence its longest part that could have begun a character (at
  // least one byte), which one U+FFFD replaces (Unicode 15, section 3.9, U+FFFD substitution).
  size_t length = 0;
};

// `text` is not empty. Overlong forms, surrogates and values above U+10FFFF are invalid.
Utf8Char DecodeUtf8(std::string_view text);

// The valid character that `text` ends with; nothing when it is empty or ends with other bytes.
std::optional<Utf8Char> DecodeLastUtf8(std::string_view text);

// Length of the longest prefix that is whole, valid UTF-8.
size_t ValidUtf8Prefix(std::string_view text);

// Characters of a text in UTF-8: bytes that are no continuation. Quick for a long text.
size_t CountUtf8Characters(std::string_view text);

void AppendUtf8(char32_t code_point, std::string* out);

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_UTF8_H_
