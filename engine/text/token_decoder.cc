#include "engine/text/token_decoder.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "absl/strings/str_replace.h"
#include "engine/base/status.h"
#include "engine/text/byte_level.h"

namespace windowkv {
namespace {

constexpr int kMaxNesting = 8;

// The byte that "<0x0A>" stands for.
std::optional<char> ByteOf(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || spelling.back() != '>') {
    return std::nullopt;
  }
  uint8_t byte = 0;
  const char* end = spelling.data() + 5;
  const auto parsed = std::from_chars(spelling.data() + 3, end, byte, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace

absl::StatusOr<TokenDecoder> TokenDecoder::Create(const JsonNode& section) {
  TokenDecoder decoder;
  WINDOWKV_RETURN_IF_ERROR(decoder.Add(section, 0));
  return decoder;
}

absl::Status TokenDecoder::Add(const JsonNode& section, int depth) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::string type, section["type"].String());
  if (type == "ByteLevel") {
    byte_level_ = true;
  } else if (type == "ByteFallback") {
    byte_fallback_ = true;
  } else if (type == "Replace") {
    return AddReplace(section);
  } else if (type == "Strip") {
    return AddStrip(section);
  } else if (type == "Sequence") {
    const JsonNode members = section["decoders"];
    if (!members.is_array()) return members.Expected("an array");
    if (depth == kMaxNesting) return members.Unsupported("at most 8 nested sequences");
    for (size_t i = 0; i < members.size(); ++i) {
      WINDOWKV_RETURN_IF_ERROR(Add(members[i], depth + 1));
    }
  } else if (type != "Fuse") {  // we only ever join tokens
    return section["type"].Unsupported("ByteLevel, Replace, ByteFallback, Fuse, Strip or Sequence");
  }
  return absl::OkStatus();
}

absl::Status TokenDecoder::AddReplace(const JsonNode& section) {
  const JsonNode pattern = section["pattern"];
  if (!pattern["Regex"].is_null()) return pattern["Regex"].Unsupported("a String pattern");
  WINDOWKV_ASSIGN_OR_RETURN(std::string from, pattern["String"].String());
  if (from.empty()) return pattern["String"].Expected("a string that is not empty");
  WINDOWKV_ASSIGN_OR_RETURN(std::string to, section["content"].String());
  replacements_.emplace_back(std::move(from), std::move(to));
  return absl::OkStatus();
}

absl::Status TokenDecoder::AddStrip(const JsonNode& section) {
  WINDOWKV_ASSIGN_OR_RETURN(const int64_t start, section["start"].Int({0, INT32_MAX}));
  WINDOWKV_ASSIGN_OR_RETURN(const int64_t stop, section["stop"].Int({0, INT32_MAX}));
  if (start > 1) return section["start"].Unsupported("0 or 1");
  if (stop != 0) return section["stop"].Unsupported("0");
  if (section["content"].value() != " ") return section["content"].Unsupported("a space");
  strips_leading_space_ = start == 1;
  return absl::OkStatus();
}

std::string TokenDecoder::Decode(std::string_view spelling) const {
  if (byte_level_) return BytesOfSpelling(spelling).value_or(std::string(spelling));
  if (byte_fallback_) {
    if (const std::optional<char> byte = ByteOf(spelling)) return std::string(1, *byte);
  }
  std::string text(spelling);
  for (const auto& [from, to] : replacements_) text = absl::StrReplaceAll(text, {{from, to}});
  return text;
}

}  // namespace windowkv
