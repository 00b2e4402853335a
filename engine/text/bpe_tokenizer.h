#ifndef WINDOWKV_ENGINE_TEXT_BPE_TOKENIZER_H_
#define WINDOWKV_ENGINE_TEXT_BPE_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/json/json_node.h"
#include "engine/text/added_tokens.h"
#include "engine/text/bpe_model.h"
#include "engine/text/normalizer.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/token_decoder.h"
#include "engine/text/tokenizer.h"
#include "engine/text/vocabulary.h"

namespace windowkv {

// A tokenizer.json with a BPE model: added tokens are cut out of the text, the rest is normalized,
// cut into words, and each word is merged. Constant after creation; thread-safe.
class BpeTokenizer : public Tokenizer {
 public:
  // `file` is the whole tokenizer.json; `config` tokenizer_config.json or a null node. Errors as
  // those of the parts.
  static absl::StatusOr<std::unique_ptr<BpeTokenizer>> Create(const JsonNode& file,
                                                              const JsonNode& config);

  std::vector<int32_t> Encode(std::string_view text, SpecialTokens special) const override;
  std::string TokenBytes(int32_t id) const override;
  bool IsSpecial(int32_t id) const override;
  std::optional<int32_t> IdOf(std::string_view token) const override;
  std::optional<int32_t> bos_id() const override { return bos_id_; }
  int32_t vocab_size() const override { return vocabulary_.size(); }
  bool strips_leading_space() const override { return decoder_.strips_leading_space(); }

 private:
  struct EncodeState;

  BpeTokenizer() = default;

  absl::Status AddTokens(const JsonNode& section);
  void ReadTokenBytes();

  void EncodeSegment(std::string_view text, SpecialTokens special, bool at_start,
                     EncodeState* state) const;
  void EncodeWords(std::string_view text, bool at_start, EncodeState* state) const;

  Vocabulary vocabulary_;
  AddedTokenFinder raw_finder_;         // looks in the text as given
  AddedTokenFinder normalized_finder_;  // looks in the normalized text
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  BpeModel model_;
  TokenDecoder decoder_;
  std::optional<int32_t> bos_id_;
  std::vector<bool> special_;             // per id
  std::vector<std::string> token_bytes_;  // per id
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_BPE_TOKENIZER_H_
