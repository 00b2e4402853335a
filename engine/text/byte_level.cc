#include "engine/text/byte_level.h"

#include <array>

#include "engine/text/utf8.h"

namespace windowkv {
namespace {

constexpr int kMaxCodePoint = 0x100 + 68;

constexpr bool SpellsItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Tables {
  std::array<char32_t, 256> code_point_of{};
  std::array<int16_t, kMaxCodePoint> byte_of{};
};

constexpr Tables MakeTables() {
  Tables tables;
  for (int16_t& byte : tables.byte_of) byte = -1;
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t c = SpellsItself(byte) ? static_cast<char32_t>(byte) : next++;
    tables.code_point_of[byte] = c;
    tables.byte_of[c] = static_cast<int16_t>(byte);
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

}  // namespace

std::string ByteLevelSpelling(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    AppendUtf8(kTables.code_point_of[static_cast<uint8_t>(byte)], &spelling);
  }
  return spelling;
}

std::optional<std::string> BytesOfSpelling(std::string_view spelling) {
  std::string bytes;
  for (size_t at = 0; at < spelling.size();) {
    const Utf8Char c = DecodeUtf8(spelling.substr(at));
    if (c.kind != Utf8Char::Kind::kValid || c.code_point >= kMaxCodePoint) return std::nullopt;
    const int16_t byte = kTables.byte_of[c.code_point];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    at += c.length;
  }
  return bytes;
}

}  // namespace windowkv
