#ifndef WINDOWKV_ENGINE_TEXT_TOKENIZER_H_
#define WINDOWKV_ENGINE_TEXT_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace windowkv {

// Whether a special token's spelling inside a text stands for the token or is plain text.
enum class SpecialTokens { kParse, kAsText };

// Turns text into token ids and back. Constant after loading; thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of `text` alone: no beginning-of-text token is added. Any bytes are accepted; what is not
  // UTF-8 is encoded byte by byte.
  virtual std::vector<int32_t> Encode(std::string_view text, SpecialTokens special) const = 0;

  // The bytes one token stands for in generated text; may be part of a UTF-8 character. A special
  // token's spelling. Empty for ids outside the vocabulary.
  virtual std::string TokenBytes(int32_t id) const = 0;

  virtual bool IsSpecial(int32_t id) const = 0;
  virtual std::optional<int32_t> IdOf(std::string_view token) const = 0;
  // Put before plain text prompts; nothing when the checkpoint adds none. What decides is
  // tokenizer.json's post-processor, or tokenizer_config.json's add_bos_token where there is no
  // post-processor template: as transformers' AutoTokenizer does. A checkpoint that only names a
  // bos_token, as the demo model does, adds none to plain text; its chat template puts it first.
  virtual std::optional<int32_t> bos_id() const = 0;
  // One more than the largest id.
  virtual int32_t vocab_size() const = 0;
  // Whether a generated text loses the one space it begins with (converted SentencePiece models
  // write words with the space before them).
  virtual bool strips_leading_space() const { return false; }
};

// Reads DIR/tokenizer.json and DIR/tokenizer_config.json (Hugging Face layout): byte-level BPE with
// the file's own split pattern, and BPE with byte fallback (the layout of converted SentencePiece
// models). Errors name the file, the key, what was expected and what was found.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& dir);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_TOKENIZER_H_
