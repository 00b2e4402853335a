#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/text/split_pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/text/utf8.h"

namespace windowkv {
namespace {

// "{2,3}+": Oniguruma repeats the interval where PCRE2 makes it possessive.
bool HasRepeatedInterval(std::string_view regex) {
  for (size_t at = regex.find('{'); at != std::string_view::npos; at = regex.find('{', at + 1)) {
    const size_t end = regex.find_first_not_of("0123456789,", at + 1);
    if (end != std::string_view::npos && end > at + 1 && regex.substr(end, 2) == "}+") return true;
  }
  return false;
}

// The construct that the two engines read differently, or empty. Oniguruma intersects classes with
// && and has \h for a hexadecimal digit.
std::string_view DifferingConstruct(std::string_view regex) {
  for (const std::string_view construct : {"&&", "\\h", "\\H"}) {
    if (regex.find(construct) != std::string_view::npos) return construct;
  }
  return HasRepeatedInterval(regex) ? "{…}+" : "";
}

// Oniguruma's \s is White_Space; PCRE2's also has U+180E.
std::string WithUnicodeWhiteSpace(std::string_view regex) {
  std::string result;
  for (size_t i = 0; i < regex.size(); ++i) {
    if (regex[i] != '\\' || i + 1 == regex.size()) {
      result.push_back(regex[i]);
      continue;
    }
    const char escaped = regex[++i];
    if (escaped == 's') {
      result += "\\p{White_Space}";
    } else if (escaped == 'S') {
      result += "\\P{White_Space}";
    } else {
      result.push_back('\\');
      result.push_back(escaped);
    }
  }
  return result;
}

std::string PcreMessage(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return std::string(reinterpret_cast<const char*>(buffer.data()));
}

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

void SplitPattern::CodeDeleter::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

absl::StatusOr<SplitPattern> SplitPattern::Compile(std::string_view regex) {
  if (const std::string_view construct = DifferingConstruct(regex); !construct.empty()) {
    return absl::UnimplementedError(absl::StrCat("regular expression with ", ToAbsl(construct)));
  }
  const std::string pattern = WithUnicodeWhiteSpace(regex);
  int error = 0;
  PCRE2_SIZE offset = 0;
  SplitPattern result;
  // Oniguruma's ^ and $ are always those of lines. \C would match one byte of a character, and the
  // next search would read whole ones beyond the text's end.
  constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  result.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   kOptions, &error, &offset, nullptr));
  if (error == PCRE2_ERROR_BACKSLASH_C_CALLER_DISABLED) {
    return absl::UnimplementedError("regular expression with \\C");
  }
  if (!result.code_) {
    return absl::InvalidArgumentError(
        absl::StrCat("regular expression: ", PcreMessage(error), " at offset ", offset));
  }
  // Without a compiler for this processor matching is slower, not different.
  pcre2_jit_compile(result.code_.get(), PCRE2_JIT_COMPLETE);
  return result;
}

SplitPattern SplitPattern::Literal(std::string_view text) {
  SplitPattern result;
  result.literal_ = text;
  return result;
}

void SplitPattern::FindAll(std::string_view text, std::vector<Span>* matches) const {
  matches->clear();
  if (code_) {
    FindRegex(text, matches);
    return;
  }
  for (size_t at = text.find(literal_); at != std::string_view::npos;
       at = text.find(literal_, at + literal_.size())) {
    matches->push_back({at, at + literal_.size()});
  }
}

void SplitPattern::FindRegex(std::string_view text, std::vector<Span>* matches) const {
  const std::unique_ptr<pcre2_match_data, MatchDataDeleter> data(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
  for (size_t at = 0; at < text.size();) {
    int rc =
        pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK, data.get(), nullptr);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
      rc = pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       data.get(), nullptr);
    }
    if (rc < 0) return;
    if (span[1] > span[0]) {
      matches->push_back({span[0], span[1]});
      at = span[1];
    } else {
      // The expression can match nothing: look on after the next character.
      at = std::max(at, span[1]);
      if (at < text.size()) at += DecodeUtf8(text.substr(at)).length;
    }
  }
}

}  // namespace windowkv
