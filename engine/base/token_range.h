#ifndef WINDOWKV_ENGINE_BASE_TOKEN_RANGE_H_
#define WINDOWKV_ENGINE_BASE_TOKEN_RANGE_H_

#include <cstdint>

namespace windowkv {

// Half-open range of prompt token indices.
struct TokenRange {
  int32_t begin = 0;
  int32_t end = 0;
  friend bool operator==(const TokenRange&, const TokenRange&) = default;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_BASE_TOKEN_RANGE_H_
