#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/text/byte_level.h"
#include "engine/text/tokenizer.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"
#include "tests/fuzz/token_checks.h"

namespace windowkv {
namespace {

constexpr std::ptrdiff_t kMaxDigits = 4;

// Memory grows with the largest id: files with large ones would only make the search slow.
bool HasLargeNumber(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (auto at = text.begin(); at != text.end();) {
    at = std::find_if(at, text.end(), is_digit);
    const auto end = std::find_if_not(at, text.end(), is_digit);
    if (end - at > kMaxDigits) return true;
    at = end;
  }
  return false;
}

// Whether a token may be one of a byte, in either way of spelling it.
bool MaySpellByte(std::string_view spelling) {
  return (spelling.size() == 6 && spelling.starts_with("<0x")) ||
         BytesOfSpelling(spelling).value_or("").size() == 1;
}

// What characters without a token become.
std::optional<int32_t> UnknownId(std::string_view file, const Tokenizer& tokenizer) {
  const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const auto& model = json["model"];
  if (!model.contains("unk_token") || !model["unk_token"].is_string()) return std::nullopt;
  return tokenizer.IdOf(model["unk_token"].get<std::string>());
}

absl::Status CheckEncoding(const Tokenizer& tokenizer, std::string_view text, SpecialTokens special,
                           std::optional<int32_t> unknown) {
  const std::vector<int32_t> ids = tokenizer.Encode(text, special);
  WINDOWKV_RETURN_IF_ERROR(CheckIds(tokenizer, ids));
  for (const int32_t id : ids) {
    if (special == SpecialTokens::kAsText && tokenizer.IsSpecial(id) && id != unknown &&
        !MaySpellByte(tokenizer.TokenBytes(id))) {
      return Broken("plain text has no special token");
    }
  }
  return CheckStreaming(tokenizer, ids);
}

}  // namespace

// Parts: tokenizer.json, tokenizer_config.json, a text.
absl::Status FuzzTokenizerFile(std::string_view input) {
  FuzzInput parts(input);
  const std::string_view file = parts.Part();
  if (HasLargeNumber(file)) return absl::OkStatus();
  const ModelDirectory dir;
  dir.Write("tokenizer.json", file);
  const std::string_view config = parts.Part();
  if (!config.empty()) dir.Write("tokenizer_config.json", config);

  const auto tokenizer = LoadTokenizer(dir.path());
  if (!tokenizer.ok()) {
    return CheckRefusal(tokenizer.status(),
                        {absl::StatusCode::kInvalidArgument, absl::StatusCode::kUnimplemented},
                        dir.path());
  }
  if (const auto bos = (*tokenizer)->bos_id()) {
    WINDOWKV_RETURN_IF_ERROR(CheckIds(**tokenizer, {*bos}));
  }
  const std::optional<int32_t> unknown = UnknownId(file, **tokenizer);
  const std::string_view text = parts.Rest();
  WINDOWKV_RETURN_IF_ERROR(CheckEncoding(**tokenizer, text, SpecialTokens::kAsText, unknown));
  return CheckEncoding(**tokenizer, text, SpecialTokens::kParse, unknown);
}

}  // namespace windowkv
