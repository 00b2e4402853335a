#include "engine/text/latin_script.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/text/utf8.h"

namespace windowkv {
namespace {

struct Range {
  int32_t first;
  int32_t last;
};

// Blocks whose letters are Latin or of no script (Unicode's Scripts.txt), with the few others in
// them: Greek in the phonetic extensions and the Ohm sign, which are rare enough.
constexpr std::array<Range, 13> kLatinOrNone = {{{0x0041, 0x02FF},
                                                 {0x1D00, 0x1DBF},
                                                 {0x1E00, 0x1EFF},
                                                 {0x2071, 0x209C},
                                                 {0x2100, 0x214F},
                                                 {0x2184, 0x2184},
                                                 {0x2C60, 0x2C7F},
                                                 {0xA700, 0xA7FF},
                                                 {0xAB30, 0xAB6F},
                                                 {0xFB00, 0xFB06},
                                                 {0xFF21, 0xFF5A},
                                                 {0x10780, 0x107BF},
                                                 {0x1D400, 0x1D7FF}}};

bool IsForeignLetter(int32_t c) {
  const utf8proc_category_t category = utf8proc_category(c);
  if (category < UTF8PROC_CATEGORY_LU || category > UTF8PROC_CATEGORY_LO) return false;
  return std::none_of(kLatinOrNone.begin(), kLatinOrNone.end(),
                      [c](const Range& range) { return c >= range.first && c <= range.last; });
}

}  // namespace

bool HasForeignLetter(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    if (c.kind == Utf8Char::Kind::kValid && IsForeignLetter(static_cast<int32_t>(c.code_point))) {
      return true;
    }
    text.remove_prefix(c.length);
  }
  return false;
}

}  // namespace windowkv
