#include "engine/text/bert_words.h"

#include <algorithm>
#include <cstdint>

#include "engine/text/bert_unicode.h"
#include "engine/text/unicode_normalization.h"
#include "engine/text/utf8.h"
#include "engine/text/white_space.h"

namespace windowkv {
namespace {

bool IsAsciiPunctuation(int32_t c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
         (c >= 123 && c <= 126);
}

bool IsPunctuation(int32_t c) {
  if (c < 0x80) return IsAsciiPunctuation(c);
  switch (BertCategory(c)) {
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return true;
    default:
      return false;
  }
}

// Control, format and private use characters; unassigned ones stay.
bool IsControl(int32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  if (c < 0x80) return c < 0x20 || c == 0x7F;
  switch (BertCategory(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
      return true;
    default:
      return false;
  }
}

// The ranges of the reference, which begins one of them at U+2B920.
bool IsCjkIdeograph(int32_t c) {
  if (c < 0x3400) return false;
  return (c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
         (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void RemoveAccents(std::vector<PlacedCodePoint>* text) {
  const auto is_ascii = [](const PlacedCodePoint& c) { return c.code_point < 0x80; };
  if (std::all_of(text->begin(), text->end(), is_ascii)) return;
  *text = DecomposePlaced(*text, kNotDecomposedByBert);
  std::erase_if(*text, [](const PlacedCodePoint& c) {
    return c.code_point >= 0x300 && BertCategory(c.code_point) == UTF8PROC_CATEGORY_MN;
  });
}

void LowerCase(std::vector<PlacedCodePoint>* text) {
  constexpr int32_t kCapitalDottedI = 0x130;  // the one that becomes two characters
  std::vector<PlacedCodePoint> result;
  result.reserve(text->size());
  for (const auto& [c, place] : *text) {
    if (c < 0x80) {
      result.push_back({c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c, place});
    } else if (c == kCapitalDottedI) {
      result.insert(result.end(), {{'i', place}, {0x307, place}});
    } else {
      result.push_back({BertLowerCase(c), place});
    }
  }
  text->swap(result);
}

}  // namespace

std::vector<PlacedCodePoint> BertWords::Cleaned(std::string_view text) const {
  std::vector<PlacedCodePoint> cleaned;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char next = DecodeUtf8(text.substr(at));
    const auto place = static_cast<uint32_t>(at);
    at += next.length;
    const auto c = static_cast<int32_t>(next.code_point);
    if (next.kind != Utf8Char::Kind::kValid || next.code_point == kReplacementCharacter ||
        IsControl(c)) {
      continue;
    }
    if (IsWhiteSpace(next.code_point)) {
      cleaned.push_back({' ', place});
    } else if (options_.separate_cjk && IsCjkIdeograph(c)) {
      cleaned.insert(cleaned.end(), {{' ', place}, {c, place}, {' ', place}});
    } else {
      cleaned.push_back({c, place});
    }
  }
  return cleaned;
}

BertText BertWords::Cut(std::string_view text) const {
  std::vector<PlacedCodePoint> characters = Cleaned(text);
  if (options_.strip_accents) RemoveAccents(&characters);
  if (options_.lower_case) LowerCase(&characters);

  BertText words;
  bool in_word = false;
  const auto end_word = [&] {
    if (in_word) words.ends.push_back(words.bytes.size());
    in_word = false;
  };
  for (const auto& [c, place] : characters) {
    const auto code_point = static_cast<char32_t>(c);
    if (IsWhiteSpace(code_point)) {
      end_word();
      continue;
    }
    const bool alone = IsPunctuation(c);
    if (alone) end_word();
    AppendUtf8(code_point, &words.bytes);
    words.places.resize(words.bytes.size(), place);
    in_word = true;
    if (alone) end_word();
  }
  end_word();
  return words;
}

bool BertWords::IsBoundary(std::string_view text, size_t at) const {
  if (at > 0 && text[at - 1] == ']') return true;
  const auto byte = static_cast<uint8_t>(text[at]);
  if (byte < 0x80) {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r' ||
           (IsAsciiPunctuation(byte) && byte != ']');
  }
  if (byte < 0xC2) return false;
  const Utf8Char next = DecodeUtf8(text.substr(at));
  if (next.kind != Utf8Char::Kind::kValid) return false;
  const auto c = static_cast<int32_t>(next.code_point);
  return (options_.separate_cjk && IsCjkIdeograph(c)) || IsPunctuation(c) ||
         (IsWhiteSpace(next.code_point) && !IsControl(c));
}

size_t BertWords::NextBoundary(std::string_view text, size_t from) const {
  while (from < text.size() && !IsBoundary(text, from)) ++from;
  return std::min(from, text.size());
}

size_t BertWords::PreviousBoundary(std::string_view text, size_t from) const {
  while (from > 0 && (from >= text.size() || !IsBoundary(text, from))) --from;
  return from;
}

}  // namespace windowkv
