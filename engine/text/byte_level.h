#ifndef WINDOWKV_ENGINE_TEXT_BYTE_LEVEL_H_
#define WINDOWKV_ENGINE_TEXT_BYTE_LEVEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace windowkv {

// Byte-level vocabularies (GPT-2's scheme) spell every byte as one printable character: bytes that
// print as themselves keep their code point, the other 68 take U+0100 onwards.

// The spelling of bytes in such a vocabulary.
std::string ByteLevelSpelling(std::string_view bytes);

// The bytes that a spelling stands for; nothing when it has a character that spells no byte.
std::optional<std::string> BytesOfSpelling(std::string_view spelling);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_BYTE_LEVEL_H_
