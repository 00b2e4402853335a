#include "tests/fuzz/token_checks.h"

#include "engine/text/streaming_detokenizer.h"
#include "engine/text/utf8.h"
#include "tests/engine/text/decoded_at_once.h"
#include "tests/fuzz/fuzz_input.h"

namespace windowkv {

std::string BytesOf(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string bytes;
  for (const int32_t id : ids) bytes += tokenizer.TokenBytes(id);
  return bytes;
}

absl::Status CheckIds(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= tokenizer.vocab_size()) return Broken("an id is of the vocabulary");
  }
  return absl::OkStatus();
}

absl::Status CheckStreaming(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  StreamingDetokenizer detokenizer(&tokenizer);
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece = detokenizer.Push(id);
    if (ValidUtf8Prefix(piece) != piece.size())
      return Broken("a piece of text is whole characters");
    text += piece;
  }
  text += detokenizer.Flush();
  if (text != DecodedAtOnce(tokenizer, ids)) {
    return Broken("pieces of text come to what decoding at once gives");
  }
  return absl::OkStatus();
}

}  // namespace windowkv
