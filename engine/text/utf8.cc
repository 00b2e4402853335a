#include "engine/text/utf8.h"

#include <algorithm>
#include <cstring>

namespace windowkv {
namespace {

struct LeadByte {
  size_t length = 0;  // of the whole character; 0 when no character begins with this byte
  uint8_t second_min = 0x80;
  uint8_t second_max = 0xBF;
  char32_t bits = 0;
};

// The table of well-formed byte sequences (Unicode 15, table 3-7).
LeadByte Classify(uint8_t byte) {
  if (byte < 0x80) return {.length = 1, .bits = byte};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {.length = 2, .bits = byte & 0x1Fu};
  if (byte < 0xF0) {
    LeadByte lead{.length = 3, .bits = byte & 0x0Fu};
    if (byte == 0xE0) lead.second_min = 0xA0;
    if (byte == 0xED) lead.second_max = 0x9F;
    return lead;
  }
  if (byte > 0xF4) return {};
  LeadByte lead{.length = 4, .bits = byte & 0x07u};
  if (byte == 0xF0) lead.second_min = 0x90;
  if (byte == 0xF4) lead.second_max = 0x8F;
  return lead;
}

}  // namespace

Utf8Char DecodeUtf8(std::string_view text) {
  const LeadByte lead = Classify(static_cast<uint8_t>(text[0]));
  if (lead.length == 0) return {.kind = Utf8Char::Kind::kInvalid, .length = 1};
  char32_t code_point = lead.bits;
  for (size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {.kind = Utf8Char::Kind::kIncomplete, .length = i};
    const auto byte = static_cast<uint8_t>(text[i]);
    const uint8_t min = i == 1 ? lead.second_min : 0x80;
    const uint8_t max = i == 1 ? lead.second_max : 0xBF;
    if (byte < min || byte > max) return {.kind = Utf8Char::Kind::kInvalid, .length = i};
    code_point = (code_point << 6) | (byte & 0x3Fu);
  }
  return {.kind = Utf8Char::Kind::kValid, .code_point = code_point, .length = lead.length};
}

std::optional<Utf8Char> DecodeLastUtf8(std::string_view text) {
  for (size_t length = 1; length <= std::min<size_t>(4, text.size()); ++length) {
    const Utf8Char c = DecodeUtf8(text.substr(text.size() - length));
    if (c.kind == Utf8Char::Kind::kValid && c.length == length) return c;
  }
  return std::nullopt;
}

size_t ValidUtf8Prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Utf8Char next = DecodeUtf8(text.substr(at));
    if (next.kind != Utf8Char::Kind::kValid) break;
    at += next.length;
  }
  return at;
}

size_t CountUtf8Characters(std::string_view text) {
  // Eight bytes at once: each counts its continuation bytes in a byte of `counts`, which holds 255.
  constexpr uint64_t kOnes = 0x0101010101010101, kEven = 0x00FF00FF00FF00FF;
  constexpr size_t kWord = sizeof(uint64_t), kBlock = 255 * kWord;
  size_t continuations = 0;
  size_t at = 0;
  while (text.size() - at >= kWord) {
    const size_t end = at + std::min(kBlock, (text.size() - at) / kWord * kWord);
    uint64_t counts = 0;
    for (; at < end; at += kWord) {
      uint64_t word = 0;
      std::memcpy(&word, text.data() + at, kWord);
      counts += ((word & ~(word << 1)) >> 7) & kOnes;
    }
    const uint64_t pairs = (counts & kEven) + ((counts >> 8) & kEven);
    continuations += (pairs * 0x0001000100010001) >> 48;
  }
  for (; at < text.size(); ++at) continuations += (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80;
  return text.size() - continuations;
}

void AppendUtf8(char32_t code_point, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

}  // namespace windowkv
