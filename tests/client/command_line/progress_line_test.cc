#include "client/command_line/progress_line.h"

#include <gtest/gtest.h>

#include <sstream>

namespace windowkv::client {
namespace {

TEST(ProgressLineTest, RewritesItsLineAndWipesItOnce) {
  std::ostringstream out;
  ProgressLine line(&out, /*enabled=*/true);
  line.Show("1 of 2");
  line.Show("2 of 2");
  line.Clear();
  line.Clear();
  EXPECT_EQ(out.str(), "\r\x1b[K1 of 2\r\x1b[K2 of 2\r\x1b[K");
}

TEST(ProgressLineTest, ShowsNothingWhenNotEnabled) {
  std::ostringstream out;
  ProgressLine line(&out, /*enabled=*/false);
  line.Show("1 of 2");
  line.Clear();
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressBarTest, FillsWithTheShareAndNotBeyond) {
  EXPECT_EQ(ProgressBar(0), "[....................]");
  EXPECT_EQ(ProgressBar(0.26), "[#####...............]");
  EXPECT_EQ(ProgressBar(1), "[####################]");
  EXPECT_EQ(ProgressBar(1.5), "[####################]");
}

}  // namespace
}  // namespace windowkv::client
