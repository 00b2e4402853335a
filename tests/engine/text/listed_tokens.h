#ifndef WINDOWKV_TESTS_ENGINE_TEXT_LISTED_TOKENS_H_
#define WINDOWKV_TESTS_ENGINE_TEXT_LISTED_TOKENS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/text/tokenizer.h"

namespace windowkv {

// Tokens as the test lists them; id 0 is special.
class ListedTokens : public Tokenizer {
 public:
  ListedTokens(std::vector<std::string> tokens, bool strips)
      : tokens_(std::move(tokens)), strips_(strips) {}

  std::vector<int32_t> Encode(std::string_view, SpecialTokens) const override { return {}; }
  std::string TokenBytes(int32_t id) const override {
    return id < 0 || id >= vocab_size() ? "" : tokens_[static_cast<size_t>(id)];
  }
  bool IsSpecial(int32_t id) const override { return id == 0; }
  std::optional<int32_t> IdOf(std::string_view) const override { return std::nullopt; }
  std::optional<int32_t> bos_id() const override { return std::nullopt; }
  int32_t vocab_size() const override { return static_cast<int32_t>(tokens_.size()); }
  bool strips_leading_space() const override { return strips_; }

 private:
  std::vector<std::string> tokens_;
  bool strips_;
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_TEXT_LISTED_TOKENS_H_
