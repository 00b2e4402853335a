#ifndef WINDOWKV_TESTS_ENGINE_TEXT_UNICODE_CORPUS_H_
#define WINDOWKV_TESTS_ENGINE_TEXT_UNICODE_CORPUS_H_

#include <array>
#include <cstdint>
#include <string>

#include "engine/text/utf8.h"

namespace windowkv {

// Random strings of mixed scripts, marks, controls, special tokens and long words: the same as
// tests/golden/make_wordpiece_hashes.py makes, number by number.
class UnicodeCorpus {
 public:
  static constexpr int kStrings = 100'000;

  std::string Next() {
    std::string text;
    for (uint32_t atoms = Below(24); atoms > 0; --atoms) AppendAtom(text);
    return text;
  }

  // Calls `add` with each character that is a piece of the vocabulary, alone and continued.
  template <typename Add>
  static void ForEachPiece(const Add& add) {
    constexpr Range kRanges[] = {{0x41, 0x5A},     {0xC0, 0x52F},    {0x590, 0x6FF},
                                 {0x900, 0x97F},   {0x1100, 0x11FF}, {0x1E00, 0x1FFF},
                                 {0x3040, 0x30FF}, {0x4E00, 0x4EFF}};
    for (const auto& [first, last] : kRanges) {
      for (char32_t c = first; c <= last; ++c) {
        std::string piece;
        AppendUtf8(c, &piece);
        add(piece);
        add("##" + piece);
      }
    }
  }

 private:
  struct Range {
    char32_t first;
    uint32_t second;  // the last one, or how many
  };

  uint32_t Below(uint32_t limit) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<uint32_t>(state_ >> 33) % limit;
  }
  char32_t In(const Range& range) { return range.first + Below(range.second); }
  template <typename T, size_t n>
  const T& OneOf(const std::array<T, n>& values) {
    return values[Below(n)];
  }

  void AppendAtom(std::string& text) {
    static const std::array<std::string, 4> kSpaces = {" ", "\n", "\t", "  "};
    static const std::array<std::string, 10> kTokens = {"[CLS]",   "[SEP]",  "[UNK]", "[PAD]",
                                                        "[MASK]",  "[mask]", "[MASK", "CLS]",
                                                        "[[SEP]]", "##ing"};
    constexpr std::array<Range, 4> kIdeographs = {
        {{0x4E00, 0x5200}, {0x3400, 0x19C0}, {0x20000, 0xB000}, {0xF900, 0x200}}};
    constexpr std::array<Range, 3> kSyllables = {
        {{0xAC00, 11172}, {0x1100, 0x100}, {0x3040, 0xC0}}};
    constexpr std::array<char32_t, 24> kOdd = {0x0,    0x1,    0x9,    0xA,    0xB,    0xC,
                                               0xD,    0x1C,   0x1F,   0x7F,   0x85,   0xA0,
                                               0xAD,   0x1680, 0x2003, 0x200B, 0x200D, 0x200E,
                                               0x2028, 0x2029, 0x3000, 0xE000, 0xFEFF, 0xFFFD};
    switch (const uint32_t kind = Below(20)) {
      case 5:
      case 6:
        text += OneOf(kSpaces);
        break;
      case 7:
        return AppendUtf8(In({33, 94}), &text);
      case 8:
        return AppendUtf8(In({0xC0, 0x190}), &text);
      case 9:
        return AppendUtf8(In({0x300, 0x70}), &text);
      case 10:
        return AppendUtf8(In(OneOf(kIdeographs)), &text);
      case 11:
        return AppendUtf8(OneOf(kOdd), &text);
      case 12:
        return AppendUtf8(In({0x370, 0x590}), &text);
      case 13:
        return AppendUtf8(In({0x900, 0x1700}), &text);
      case 14:
        return AppendUtf8(In({0x2000, 0x1000}), &text);
      case 15:
        return AppendUtf8(In(OneOf(kSyllables)), &text);
      case 16:
      case 17:
        return AppendAny(text, kind == 16 ? 0x10000 : 0x110000);
      case 18:
        text += OneOf(kTokens);
        break;
      case 19:
        return AppendLongOrMarked(text);
      default:
        return AppendWord(text);
    }
  }

  void AppendWord(std::string& text) {
    const uint32_t size = 1 + Below(10);
    const char first = Below(8) == 0 ? 'A' : 'a';
    for (uint32_t i = 0; i < size; ++i) text += static_cast<char>(first + Below(26));
  }

  void AppendAny(std::string& text, uint32_t limit) {
    const char32_t c = Below(limit);
    AppendUtf8(c >= 0xD800 && c < 0xE000 ? c - 0x800 : c, &text);
  }

  void AppendLongOrMarked(std::string& text) {
    constexpr std::array<Range, 6> kMarks = {
        {{0x300, 0x70}, {0x591, 0x2D}, {0x64B, 0x15}, {0x93C, 0x12}, {0x302A, 6}, {0x1D165, 9}}};
    const bool is_long = Below(8) == 0;
    const char letter = static_cast<char>('a' + Below(26));
    if (is_long) {
      text.append(95 + Below(12), letter);
      return;
    }
    text += letter;
    for (uint32_t marks = Below(6); marks > 0; --marks) AppendUtf8(In(OneOf(kMarks)), &text);
  }

  uint64_t state_ = 20'240'229;
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_TEXT_UNICODE_CORPUS_H_
