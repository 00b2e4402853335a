#include "engine/text/normalizer.h"

#include <utility>

#include "absl/strings/str_replace.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

constexpr int kMaxNesting = 8;
constexpr std::string_view kSupported = "NFC, NFD, NFKC, NFKD, Prepend, Replace or Sequence";

}  // namespace

absl::StatusOr<Normalizer> Normalizer::Create(const JsonNode& section) {
  Normalizer normalizer;
  if (!section.is_null()) WINDOWKV_RETURN_IF_ERROR(normalizer.Add(section, 0));
  return normalizer;
}

absl::Status Normalizer::Add(const JsonNode& section, int depth) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::string type, section["type"].String());
  if (type == "NFC") {
    steps_.emplace_back(NormalizationForm::kNfc);
  } else if (type == "NFD") {
    steps_.emplace_back(NormalizationForm::kNfd);
  } else if (type == "NFKC") {
    steps_.emplace_back(NormalizationForm::kNfkc);
  } else if (type == "NFKD") {
    steps_.emplace_back(NormalizationForm::kNfkd);
  } else if (type == "Prepend") {
    WINDOWKV_ASSIGN_OR_RETURN(std::string prefix, section["prepend"].String());
    steps_.emplace_back(Prepend{std::move(prefix)});
  } else if (type == "Replace") {
    const JsonNode pattern = section["pattern"];
    if (!pattern["Regex"].is_null()) return pattern["Regex"].Unsupported("a String pattern");
    Replace replace;
    WINDOWKV_ASSIGN_OR_RETURN(replace.pattern, pattern["String"].String());
    if (replace.pattern.empty()) return pattern["String"].Expected("a string that is not empty");
    WINDOWKV_ASSIGN_OR_RETURN(replace.content, section["content"].String());
    steps_.emplace_back(std::move(replace));
  } else if (type == "Sequence") {
    const JsonNode members = section["normalizers"];
    if (!members.is_array()) return members.Expected("an array");
    if (depth == kMaxNesting) return members.Unsupported("at most 8 nested sequences");
    for (size_t i = 0; i < members.size(); ++i) {
      WINDOWKV_RETURN_IF_ERROR(Add(members[i], depth + 1));
    }
  } else {
    return section["type"].Unsupported(kSupported);
  }
  return absl::OkStatus();
}

std::string Normalizer::Apply(std::string_view text) const {
  std::string result(text);
  for (const Step& step : steps_) {
    if (const auto* form = std::get_if<NormalizationForm>(&step)) {
      result = NormalizeUnicode(result, *form);
    } else if (const auto* prepend = std::get_if<Prepend>(&step)) {
      if (!result.empty()) result.insert(0, prepend->prefix);
    } else if (const auto* replace = std::get_if<Replace>(&step)) {
      result = absl::StrReplaceAll(result, {{replace->pattern, replace->content}});
    }
  }
  return result;
}

}  // namespace windowkv
