#include "client/command_line/quantity_text.h"

#include <gtest/gtest.h>

namespace windowkv::client {
namespace {

TEST(QuantityTextTest, CountsHaveCommasBetweenThousands) {
  EXPECT_EQ(CountText(0), "0");
  EXPECT_EQ(CountText(999), "999");
  EXPECT_EQ(CountText(1000), "1,000");
  EXPECT_EQ(CountText(1234567), "1,234,567");
}

TEST(QuantityTextTest, BytesTakeTheLargestUnitThatFits) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(BytesText(int64_t{64} << 20), "64.0 MiB");
  EXPECT_EQ(BytesText(int64_t{3} << 50), "3072.0 TiB");
}

TEST(QuantityTextTest, DurationsKeepAboutThreeDigits) {
  EXPECT_EQ(DurationText(absl::Microseconds(420)), "0.42 ms");
  EXPECT_EQ(DurationText(absl::Milliseconds(812)), "812 ms");
  EXPECT_EQ(DurationText(absl::Milliseconds(3210)), "3.21 s");
}

}  // namespace
}  // namespace windowkv::client
