#include "engine/text/tokenizer.h"

#include <utility>

#include "engine/base/status.h"
#include "engine/json/json_node.h"
#include "engine/text/bpe_tokenizer.h"

namespace windowkv {

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& dir) {
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode file, JsonNode::ReadFile(dir + "/tokenizer.json"));
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode config,
                            JsonNode::ReadOptionalFile(dir + "/tokenizer_config.json"));
  WINDOWKV_ASSIGN_OR_RETURN(std::unique_ptr<BpeTokenizer> tokenizer,
                            BpeTokenizer::Create(file, config));
  return tokenizer;
}

}  // namespace windowkv
