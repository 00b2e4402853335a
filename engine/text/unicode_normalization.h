#ifndef WINDOWKV_ENGINE_TEXT_UNICODE_NORMALIZATION_H_
#define WINDOWKV_ENGINE_TEXT_UNICODE_NORMALIZATION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace windowkv {

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };

// `text` in a Unicode normalization form. Bytes that are not UTF-8 stay where they are. Takes
// n log n time even for a text made of combining marks alone.
std::string NormalizeUnicode(std::string_view text, NormalizationForm form);

// The same for code points, which are below U+110000 and no surrogates.
std::vector<int32_t> NormalizeCodePoints(const std::vector<int32_t>& code_points,
                                         NormalizationForm form);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_UNICODE_NORMALIZATION_H_
