#ifndef WINDOWKV_ENGINE_TEXT_WHITE_SPACE_H_
#define WINDOWKV_ENGINE_TEXT_WHITE_SPACE_H_

#include <string_view>

namespace windowkv {

// Unicode's White_Space property.
bool IsWhiteSpace(char32_t code_point);

// White_Space and the four separators U+001C to U+001F, as Python's str.strip sees it.
bool IsPythonSpace(char32_t code_point);

// `text` without the spaces that it begins or ends with, a space being what `is_space` says.
std::string_view StripLeadingSpace(std::string_view text,
                                   bool (*is_space)(char32_t) = &IsWhiteSpace);
std::string_view StripTrailingSpace(std::string_view text,
                                    bool (*is_space)(char32_t) = &IsWhiteSpace);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_WHITE_SPACE_H_
