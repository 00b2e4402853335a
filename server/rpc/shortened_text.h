#ifndef WINDOWKV_SERVER_RPC_SHORTENED_TEXT_H_
#define WINDOWKV_SERVER_RPC_SHORTENED_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace windowkv {

// `text`, or as much of its beginning as makes at most `max_bytes` with "..." after it, cut between
// UTF-8 characters. `max_bytes` is at least 3.
std::string ShortenedText(std::string_view text, size_t max_bytes);

// A TaskVerdict's fallback_reason has no more: routers shorten it, backends refuse a longer one.
inline constexpr size_t kMaxFallbackReasonBytes = 512;

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_SHORTENED_TEXT_H_
