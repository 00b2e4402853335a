#ifndef WINDOWKV_ENGINE_TEXT_TOKEN_DECODER_H_
#define WINDOWKV_ENGINE_TEXT_TOKEN_DECODER_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/json/json_node.h"

namespace windowkv {

// The "decoder" of a tokenizer.json: from a token's spelling to the bytes it stands for. A value,
// constant after creation; thread-safe.
class TokenDecoder {
 public:
  // Knows ByteLevel, and Sequence of Replace (of a string), ByteFallback, Fuse and Strip (of one
  // space at the start). UNIMPLEMENTED: another. INVALID_ARGUMENT: a malformed one.
  static absl::StatusOr<TokenDecoder> Create(const JsonNode& section);

  std::string Decode(std::string_view spelling) const;

  // Whether a text loses the space it begins with.
  bool strips_leading_space() const { return strips_leading_space_; }
  bool byte_level() const { return byte_level_; }

 private:
  absl::Status Add(const JsonNode& section, int depth);
  absl::Status AddReplace(const JsonNode& section);
  absl::Status AddStrip(const JsonNode& section);

  bool byte_level_ = false;
  bool byte_fallback_ = false;
  bool strips_leading_space_ = false;
  std::vector<std::pair<std::string, std::string>> replacements_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_TOKEN_DECODER_H_
