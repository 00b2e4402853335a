#ifndef WINDOWKV_TESTS_ENGINE_TEXT_CHAT_ML_TOKENS_H_
#define WINDOWKV_TESTS_ENGINE_TEXT_CHAT_ML_TOKENS_H_

#include <nlohmann/json.hpp>

namespace windowkv {

// The demo model's tokenizer.json with ChatML's tokens as 4096 and 4097.
inline nlohmann::json WithChatMlTokens(nlohmann::json file) {
  for (const char* content : {"<|im_start|>", "<|im_end|>"}) {
    nlohmann::json token = file["added_tokens"][0];
    token["id"] = 4090 + file["added_tokens"].size();
    token["content"] = content;
    file["added_tokens"].push_back(token);
  }
  return file;
}

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_TEXT_CHAT_ML_TOKENS_H_
