#include "client/command_line/verdict_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/command_line/enum_names.h"
#include "client/command_line/quantity_text.h"

namespace windowkv::client {
namespace {

// "all 1,234 characters", "characters 0-1,310 and 88,120-90,001 of 90,001; the middle left out".
std::string ReadText(const v1::TaskClassification& verdict, int64_t characters) {
  const bool all = verdict.read_size() == 1 && verdict.read(0).begin() == 0 &&
                   verdict.read(0).end() == characters;
  if (all || (verdict.read().empty() && !verdict.truncated())) {
    return absl::StrCat("all ", CountText(characters), " characters");
  }
  std::string text;
  for (const v1::CharacterRange& range : verdict.read()) {
    absl::StrAppend(&text, text.empty() ? "characters " : " and ", CountText(range.begin()), "-",
                    CountText(range.end()));
  }
  if (!text.empty()) absl::StrAppend(&text, " of ", CountText(characters));
  if (!verdict.truncated()) return text;
  return absl::StrCat(text, text.empty() ? "" : "; ", "the middle left out");
}

std::string Row(const std::string& name, const std::string& value) {
  return absl::StrFormat("  %-14s %s\n", name, value);
}

}  // namespace

std::string VerdictText(const v1::TaskClassification& verdict, int64_t characters,
                        const std::string& model) {
  std::string text =
      absl::StrFormat("%s, confidence %.4f\n", EnumName(verdict.task()), verdict.confidence());
  for (const auto& entry : verdict.probabilities()) {
    text += Row(EnumName(entry.task()), absl::StrFormat("%.4f", entry.probability()));
  }
  text += Row("read", ReadText(verdict, characters));
  text += Row("word pieces", CountText(verdict.tokens_read()));
  if (verdict.unfamiliar() > 0) {
    text += Row("unfamiliar", absl::StrFormat("%.1f %% of them", 100 * verdict.unfamiliar()));
  }
  if (!model.empty()) text += Row("model", model);
  return text;
}

int64_t CountCharacters(std::string_view text) {
  // Every byte but those that continue a code point.
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace windowkv::client
