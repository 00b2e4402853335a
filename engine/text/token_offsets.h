#ifndef WINDOWKV_ENGINE_TEXT_TOKEN_OFFSETS_H_
#define WINDOWKV_ENGINE_TEXT_TOKEN_OFFSETS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace windowkv {

// Where each token's bytes end in `text`, for the ids that stand for it; a token put before the
// text ends at 0, and a space put before it has no bytes. Empty when the tokens do not spell the
// text: the tokenizer rewrote it.
std::vector<int64_t> TokenEnds(std::string_view text, const std::vector<int32_t>& ids,
                               const Tokenizer& tokenizer);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_TOKEN_OFFSETS_H_
