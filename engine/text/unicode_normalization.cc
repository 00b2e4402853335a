#include "engine/text/unicode_normalization.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>

#include "engine/text/utf8.h"

namespace windowkv {
namespace {

bool Composes(NormalizationForm form) {
  return form == NormalizationForm::kNfc || form == NormalizationForm::kNfkc;
}

utf8proc_option_t Options(NormalizationForm form) {
  unsigned options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
  if (form == NormalizationForm::kNfkc || form == NormalizationForm::kNfkd) {
    options |= UTF8PROC_COMPAT;
  }
  return static_cast<utf8proc_option_t>(options);
}

// Calls `add` with each code point that this one is taken apart into.
template <typename Add>
void Decompose(int32_t code_point, utf8proc_option_t options, const Add& add) {
  // No character of Unicode decomposes into more than 18.
  utf8proc_int32_t buffer[32];
  int boundary = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(code_point, buffer, std::size(buffer), options, &boundary);
  if (count < 0 || count > static_cast<utf8proc_ssize_t>(std::size(buffer))) {
    add(code_point);
  } else {
    std::for_each(buffer, buffer + count, add);
  }
}

int32_t CodePointOf(int32_t c) { return c; }
int32_t CodePointOf(const PlacedCodePoint& c) { return c.code_point; }

// Canonical ordering. utf8proc's own takes quadratic time on a long run of marks.
template <typename T>
void OrderMarks(std::vector<T>* text) {
  const auto combining_class = [](const T& c) {
    const int32_t code_point = CodePointOf(c);
    return code_point < 0x300 ? 0 : utf8proc_get_property(code_point)->combining_class;
  };
  const auto is_starter = [&](const T& c) { return combining_class(c) == 0; };
  for (auto at = text->begin(); at != text->end();) {
    at = std::find_if_not(at, text->end(), is_starter);
    const auto end = std::find_if(at, text->end(), is_starter);
    std::stable_sort(
        at, end, [&](const T& a, const T& b) { return combining_class(a) < combining_class(b); });
    at = end;
  }
}

std::vector<int32_t> NormalizeCodePoints(const std::vector<int32_t>& code_points,
                                         NormalizationForm form) {
  const utf8proc_option_t options = Options(form);
  std::vector<int32_t> result;
  result.reserve(code_points.size());
  for (const int32_t c : code_points) {
    if (c < 0x80) {
      result.push_back(c);
    } else {
      Decompose(c, options, [&result](int32_t part) { result.push_back(part); });
    }
  }
  OrderMarks(&result);
  if (Composes(form) && !result.empty()) {
    const utf8proc_ssize_t size = utf8proc_normalize_utf32(
        result.data(), static_cast<utf8proc_ssize_t>(result.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (size >= 0) result.resize(static_cast<size_t>(size));
  }
  return result;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

void AppendNormalized(std::string_view valid, NormalizationForm form, std::string* out) {
  std::vector<int32_t> code_points;
  code_points.reserve(valid.size());
  for (size_t at = 0; at < valid.size();) {
    const Utf8Char c = DecodeUtf8(valid.substr(at));
    code_points.push_back(static_cast<int32_t>(c.code_point));
    at += c.length;
  }
  for (const int32_t c : NormalizeCodePoints(code_points, form)) {
    AppendUtf8(static_cast<char32_t>(c), out);
  }
}

}  // namespace

std::vector<PlacedCodePoint> DecomposePlaced(const std::vector<PlacedCodePoint>& text,
                                             int32_t except) {
  const utf8proc_option_t options = Options(NormalizationForm::kNfd);
  std::vector<PlacedCodePoint> result;
  result.reserve(text.size());
  for (const PlacedCodePoint& c : text) {
    if (c.code_point < 0x80 || c.code_point == except) {
      result.push_back(c);
    } else {
      Decompose(c.code_point, options, [&](int32_t part) { result.push_back({part, c.place}); });
    }
  }
  OrderMarks(&result);
  return result;
}

std::string NormalizeUnicode(std::string_view text, NormalizationForm form) {
  if (IsAscii(text)) return std::string(text);
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    AppendNormalized(text.substr(0, valid), form, &result);
    text.remove_prefix(valid);
    if (text.empty()) break;
    const size_t invalid = DecodeUtf8(text).length;
    result.append(text.substr(0, invalid));
    text.remove_prefix(invalid);
  }
  return result;
}

}  // namespace windowkv
