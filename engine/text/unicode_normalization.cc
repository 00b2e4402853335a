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

void AppendDecomposed(int32_t code_point, utf8proc_option_t options, std::vector<int32_t>* out) {
  // No character of Unicode decomposes into more than 18.
  utf8proc_int32_t buffer[32];
  int boundary = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(code_point, buffer, std::size(buffer), options, &boundary);
  if (count < 0 || count > static_cast<utf8proc_ssize_t>(std::size(buffer))) {
    out->push_back(code_point);
  } else {
    out->insert(out->end(), buffer, buffer + count);
  }
}

// Canonical ordering. utf8proc's own takes quadratic time on a long run of marks.
void OrderMarks(std::vector<int32_t>* code_points) {
  const auto combining_class = [](int32_t c) {
    return c < 0x300 ? 0 : utf8proc_get_property(c)->combining_class;
  };
  auto at = code_points->begin();
  while (at != code_points->end()) {
    if (combining_class(*at) == 0) {
      ++at;
      continue;
    }
    const auto end =
        std::find_if(at, code_points->end(), [&](int32_t c) { return combining_class(c) == 0; });
    std::stable_sort(at, end,
                     [&](int32_t a, int32_t b) { return combining_class(a) < combining_class(b); });
    at = end;
  }
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

std::vector<int32_t> NormalizeCodePoints(const std::vector<int32_t>& code_points,
                                         NormalizationForm form) {
  const utf8proc_option_t options = Options(form);
  std::vector<int32_t> result;
  result.reserve(code_points.size());
  for (const int32_t c : code_points) {
    if (c < 0x80) {
      result.push_back(c);
    } else {
      AppendDecomposed(c, options, &result);
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
