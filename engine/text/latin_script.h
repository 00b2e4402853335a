#ifndef WINDOWKV_ENGINE_TEXT_LATIN_SCRIPT_H_
#define WINDOWKV_ENGINE_TEXT_LATIN_SCRIPT_H_

#include <string_view>

namespace windowkv {

// Whether `text` has a letter of another script than Latin. Letters that Unicode counts to no
// script, such as a micro sign or a mathematical italic x, are not foreign.
bool HasForeignLetter(std::string_view text);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_LATIN_SCRIPT_H_
