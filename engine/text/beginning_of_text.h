#ifndef WINDOWKV_ENGINE_TEXT_BEGINNING_OF_TEXT_H_
#define WINDOWKV_ENGINE_TEXT_BEGINNING_OF_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/json/json_node.h"
#include "engine/text/vocabulary.h"

namespace windowkv {

// The token that a checkpoint puts before plain text. tokenizer.json's "post_processor" decides
// when it has a template, as in transformers' AutoTokenizer; without one it is
// tokenizer_config.json's bos_token where add_bos_token is true. A bos_token alone adds nothing:
// such a checkpoint has it in its chat template at most, and its plain text starts bare. `config`
// may be a null node. INVALID_ARGUMENT: malformed, or a token that the vocabulary lacks.
// UNIMPLEMENTED: a post-processor that adds anything else.
absl::StatusOr<std::optional<int32_t>> ReadBeginningOfText(const JsonNode& post_processor,
                                                           const JsonNode& config,
                                                           const Vocabulary& vocabulary);

// The spelling in an entry of tokenizer_config.json such as bos_token: a string, or an object with
// a "content". Null when it is neither.
const std::string* SpellingOf(const JsonNode& entry);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_TEXT_BEGINNING_OF_TEXT_H_
