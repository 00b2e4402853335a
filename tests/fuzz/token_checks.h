#ifndef WINDOWKV_TESTS_FUZZ_TOKEN_CHECKS_H_
#define WINDOWKV_TESTS_FUZZ_TOKEN_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/text/tokenizer.h"

namespace windowkv {

// The bytes of all tokens, special ones included.
std::string BytesOf(const Tokenizer& tokenizer, const std::vector<int32_t>& ids);

// Every id is one of the vocabulary.
absl::Status CheckIds(const Tokenizer& tokenizer, const std::vector<int32_t>& ids);

// What StreamingDetokenizer gives token by token: whole characters, in total what decoding all ids
// at once gives.
absl::Status CheckStreaming(const Tokenizer& tokenizer, const std::vector<int32_t>& ids);

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_FUZZ_TOKEN_CHECKS_H_
