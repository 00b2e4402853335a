#include <memory>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/text/token_offsets.h"
#include "engine/text/tokenizer.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"
#include "tests/fuzz/token_checks.h"

namespace windowkv {
namespace {

absl::Status CheckEncoding(const Tokenizer& tokenizer, std::string_view text,
                           SpecialTokens special) {
  const std::vector<int32_t> ids = tokenizer.Encode(text, special);
  WINDOWKV_RETURN_IF_ERROR(CheckIds(tokenizer, ids));
  if (BytesOf(tokenizer, ids) != text) return Broken("a byte-level encoding loses nothing");
  if (TokenEnds(text, ids, tokenizer).size() != ids.size()) {
    return Broken("each token is found in the text");
  }
  for (const int32_t id : ids) {
    if (special == SpecialTokens::kAsText && tokenizer.IsSpecial(id)) {
      return Broken("plain text has no special token");
    }
  }
  return CheckStreaming(tokenizer, ids);
}

}  // namespace

// A text, for the demo model's tokenizer, which is byte-level.
absl::Status FuzzBpe(std::string_view input) {
  static const auto tokenizer = LoadTokenizer(SourceFile("deploy/models/demo_llama"));
  WINDOWKV_RETURN_IF_ERROR(tokenizer.status());
  WINDOWKV_RETURN_IF_ERROR(CheckEncoding(**tokenizer, input, SpecialTokens::kAsText));
  return CheckEncoding(**tokenizer, input, SpecialTokens::kParse);
}

}  // namespace windowkv
