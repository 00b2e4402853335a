#include "server/rpc/shortened_text.h"

namespace windowkv {

std::string ShortenedText(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  constexpr std::string_view kDots = "...";
  size_t end = max_bytes - kDots.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)).append(kDots);
}

}  // namespace windowkv
