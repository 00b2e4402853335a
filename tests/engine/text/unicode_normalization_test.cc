#include "engine/text/unicode_normalization.h"

#include <gtest/gtest.h>

#include <string>

namespace windowkv {
namespace {

TEST(UnicodeNormalizationTest, ComposesAndDecomposes) {
  EXPECT_EQ(NormalizeUnicode("e\u0301\u0323", NormalizationForm::kNfc), "\u1EB9\u0301");
  EXPECT_EQ(NormalizeUnicode("\u1EB9\u0301", NormalizationForm::kNfd), "e\u0323\u0301");
  EXPECT_EQ(NormalizeUnicode("\uFB01\u00B2", NormalizationForm::kNfkc), "fi2");
  EXPECT_EQ(NormalizeUnicode("\u1E9B\u0323", NormalizationForm::kNfkd), "s\u0323\u0307");
  EXPECT_EQ(NormalizeUnicode("\uAC01", NormalizationForm::kNfd), "\u1100\u1161\u11A8");
  EXPECT_EQ(NormalizeUnicode("\u1100\u1161\u11A8", NormalizationForm::kNfc), "\uAC01");
  EXPECT_EQ(NormalizeUnicode("\u212B", NormalizationForm::kNfc), "\u00C5");
}

TEST(UnicodeNormalizationTest, LeavesOtherBytesWhereTheyAre) {
  EXPECT_EQ(NormalizeUnicode("e\u0301\xFFo\u0308\xE2\x82", NormalizationForm::kNfc),
            "\u00E9\xFF\u00F6\xE2\x82");
}

TEST(UnicodeNormalizationTest, OrdersALongRunOfMarks) {
  std::string marks = "a";
  for (int i = 0; i < 200'000; ++i) marks += i % 2 == 0 ? "\u0315" : "\u0323";  // 232, 220
  const std::string ordered = NormalizeUnicode(marks, NormalizationForm::kNfd);
  EXPECT_EQ(ordered.size(), marks.size());
  EXPECT_EQ(ordered.substr(0, 5), "a\u0323\u0323");
  EXPECT_TRUE(ordered.ends_with("\u0315\u0315"));
}

}  // namespace
}  // namespace windowkv
