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

// A code point and the place in a text where the character it came from begins, in bytes.
struct PlacedCodePoint {
  int32_t code_point = 0;
  uint32_t place = 0;
};

// The same in NFD for code points, which are below U+110000 and no surrogates: what a character is
// taken apart into keeps its place. `except` is left whole.
std::vector<PlacedCodePoint> DecomposePlaced(const std::vector<PlacedCodePoint>& text,
                                             int32_t except);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_UNICODE_NORMALIZATION_H_
