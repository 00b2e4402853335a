#include "engine/text/utf8.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace windowkv {
namespace {

using Kind = Utf8Char::Kind;

TEST(Utf8Test, DecodesWhatItEncodes) {
  for (char32_t c = 0; c < 0x110000; c += c < 0x1000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string bytes;
    AppendUtf8(c, &bytes);
    const Utf8Char decoded = DecodeUtf8(bytes + "x");
    ASSERT_EQ(decoded.kind, Kind::kValid) << static_cast<uint32_t>(c);
    EXPECT_EQ(decoded.code_point, c);
    EXPECT_EQ(decoded.length, bytes.size());
    EXPECT_EQ(DecodeLastUtf8("x" + bytes)->code_point, c);
  }
}

struct Malformed {
  std::string_view bytes;
  Kind kind;
  size_t length;
};

TEST(Utf8Test, SaysHowMuchOfAMalformedSequenceIsLost) {
  using std::string_view_literals::operator""sv;
  for (const auto& [bytes, kind, length] : {
           Malformed{"\x80", Kind::kInvalid, 1},
           Malformed{"\xC0\xAF", Kind::kInvalid, 1},          // overlong
           Malformed{"\xE0\x80\x80", Kind::kInvalid, 1},      // overlong
           Malformed{"\xED\xA0\x80", Kind::kInvalid, 1},      // surrogate
           Malformed{"\xF4\x90\x80\x80", Kind::kInvalid, 1},  // above U+10FFFF
           Malformed{"\xF5\x80\x80\x80", Kind::kInvalid, 1},
           Malformed{"\xE2\x82z"sv, Kind::kInvalid, 2},
           Malformed{"\xF0\x9F\x98z"sv, Kind::kInvalid, 3},
           Malformed{"\xC3", Kind::kIncomplete, 1},
           Malformed{"\xE2\x82", Kind::kIncomplete, 2},
           Malformed{"\xF0\x9F\x98", Kind::kIncomplete, 3},
       }) {
    const Utf8Char decoded = DecodeUtf8(bytes);
    EXPECT_EQ(decoded.kind, kind) << testing::PrintToString(bytes);
    EXPECT_EQ(decoded.length, length) << testing::PrintToString(bytes);
  }
}

TEST(Utf8Test, FindsTheValidPrefix) {
  EXPECT_EQ(ValidUtf8Prefix(""), 0);
  EXPECT_EQ(ValidUtf8Prefix("caf\xC3\xA9"), 5);
  EXPECT_EQ(ValidUtf8Prefix("caf\xC3"), 3);
  EXPECT_EQ(ValidUtf8Prefix("\xFFz"), 0);
}

TEST(Utf8Test, FindsNoLastCharacterInOtherBytes) {
  EXPECT_FALSE(DecodeLastUtf8("").has_value());
  EXPECT_FALSE(DecodeLastUtf8("a\x80").has_value());
  EXPECT_FALSE(DecodeLastUtf8("a\xE2\x82").has_value());
}

TEST(Utf8Test, CountsTheCharactersOfTextsOfEveryLength) {
  std::string text;
  for (size_t count = 0; count < 3000; ++count) {
    ASSERT_EQ(CountUtf8Characters(text), count);
    AppendUtf8(std::array<char32_t, 4>{'a', 0xE9, 0x4E2D, 0x1F600}[count * count % 7 % 4], &text);
  }
  // Nothing but bytes that continue something.
  EXPECT_EQ(CountUtf8Characters(std::string(5000, '\x80')), 0);
  EXPECT_EQ(CountUtf8Characters(std::string(5000, '\xFF')), 5000);
}

}  // namespace
}  // namespace windowkv
