#ifndef WINDOWKV_ENGINE_TEXT_STREAMING_DETOKENIZER_H_
#define WINDOWKV_ENGINE_TEXT_STREAMING_DETOKENIZER_H_

#include <cstdint>
#include <string>

#include "engine/text/tokenizer.h"

namespace windowkv {

// Turns one sequence's tokens into text as they come, never giving out part of a UTF-8 character.
// Bytes that can no longer become a character come out as U+FFFD. Special tokens give no text.
// Owned by one sequence; not thread-safe.
class StreamingDetokenizer {
 public:
  // `tokenizer` outlives this.
  explicit StreamingDetokenizer(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  // The text that became whole with this token; may be empty.
  std::string Push(int32_t id);

  // What was held back, at the end of the sequence.
  std::string Flush();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;  // the start of a character
  bool at_start_ = true;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_STREAMING_DETOKENIZER_H_
