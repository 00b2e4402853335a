#include "client/load/length_distribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace windowkv::client {
namespace {

using ::testing::HasSubstr;

std::vector<int> Draw(const std::string& text, int count) {
  const LengthDistribution lengths = *LengthDistribution::Parse(text);
  SeededRandom random(5);
  std::vector<int> drawn;
  for (int i = 0; i < count; ++i) drawn.push_back(lengths.Draw(&random));
  return drawn;
}

double Mean(const std::vector<int>& values) {
  double sum = 0;
  for (const int value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST(LengthDistributionTest, ANumberIsAlwaysThatLength) {
  EXPECT_THAT(Draw("2000", 10), ::testing::Each(2000));
  EXPECT_EQ(LengthDistribution::Parse("2000")->max(), 2000);
}

TEST(LengthDistributionTest, UniformReachesBothEndsEvenly) {
  std::map<int, int> counts;
  for (const int length : Draw("uniform:3-6", 40000)) ++counts[length];
  ASSERT_EQ(counts.size(), 4u);
  EXPECT_EQ(counts.begin()->first, 3);
  EXPECT_EQ(counts.rbegin()->first, 6);
  for (const auto& [length, count] : counts) EXPECT_NEAR(count, 10000, 400) << length;
  EXPECT_EQ(LengthDistribution::Parse("uniform:3-6")->max(), 6);
}

TEST(LengthDistributionTest, LognormalHasTheMeanAndTheMedianOfItsParameters) {
  std::vector<int> drawn = Draw("lognormal:2000:0.8:1000000", 100000);
  EXPECT_NEAR(Mean(drawn), 2000, 25);
  std::sort(drawn.begin(), drawn.end());
  EXPECT_NEAR(drawn[drawn.size() / 2], 1452, 20);  // 2000 exp(-0.8^2 / 2)
}

TEST(LengthDistributionTest, LognormalIsCutAtItsCap) {
  const std::vector<int> drawn = Draw("lognormal:2000:0.8:2500", 10000);
  EXPECT_EQ(*std::max_element(drawn.begin(), drawn.end()), 2500);
  EXPECT_NEAR(static_cast<double>(std::count(drawn.begin(), drawn.end(), 2500)), 2485,
              150);  // 1 - Phi((ln 2500 - ln 1452) / 0.8)
  EXPECT_GE(*std::min_element(drawn.begin(), drawn.end()), 1);
  EXPECT_EQ(LengthDistribution::Parse("lognormal:2000:0.8:2500")->max(), 2500);
}

TEST(LengthDistributionTest, AMixtureGoesByWeight) {
  std::map<int, int> counts;
  for (const int length : Draw("2000:0.9,8000:0.1", 20000)) ++counts[length];
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts[2000], 18000, 200);
  EXPECT_NEAR(counts[8000], 2000, 200);
  EXPECT_EQ(LengthDistribution::Parse("2000:0.9,8000:0.1")->max(), 8000);
}

TEST(LengthDistributionTest, WeightsNeedNotSumToOne) {
  EXPECT_EQ(Draw("10:3,20:1", 500), Draw("10:0.75,20:0.25", 500));
}

TEST(LengthDistributionTest, TheSameSeedDrawsTheSame) {
  EXPECT_EQ(Draw("lognormal:100:1:500", 100), Draw("lognormal:100:1:500", 100));
}

struct BadText {
  std::string text;
  // Part of the message.
  std::string says;
};

class BadLengthTest : public ::testing::TestWithParam<BadText> {};

TEST_P(BadLengthTest, IsRefusedWithWhatItMustBe) {
  const absl::Status status = LengthDistribution::Parse(GetParam().text).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadLengthTest,
    ::testing::Values(
        BadText{"", "the length is \"\", must be TOKENS, uniform:MIN-MAX, lognormal:"},
        BadText{"many", "the length is \"many\", must be TOKENS"},
        BadText{"-5", "the length is \"-5\""},
        BadText{"0", "TOKENS is \"0\", must be a whole number in [1, 1048576]"},
        BadText{"1.5", "TOKENS is \"1.5\", must be a whole number"},
        BadText{"1048577", "TOKENS is \"1048577\""}, BadText{"99999999999", "TOKENS is"},
        BadText{"uniform:5", "must be uniform:MIN-MAX"},
        BadText{"uniform:1-2-3", "must be uniform:MIN-MAX"},
        BadText{"uniform:x-3", "MIN of uniform:MIN-MAX is \"x\""},
        BadText{"uniform:3-", "MAX of uniform:MIN-MAX is \"\""},
        BadText{"uniform:9-3", "MAX of uniform:MIN-MAX is \"3\", must be at least MIN, 9"},
        BadText{"lognormal:2000", "must be lognormal:MEAN:SIGMA:CAP"},
        BadText{"lognormal:0:1:9", "MEAN of lognormal:MEAN:SIGMA:CAP is \"0\""},
        BadText{"lognormal:10:nan:9", "SIGMA of lognormal:MEAN:SIGMA:CAP is \"nan\""},
        BadText{"lognormal:10:6:9", "must be a number in (0, 5]"},
        BadText{"lognormal:10:1:0", "CAP of lognormal:MEAN:SIGMA:CAP is \"0\""},
        BadText{"10:1,", "the length is \"10:1,\""},
        BadText{"10:0,20:1", "WEIGHT of TOKENS:WEIGHT"},
        BadText{"10:1,20", "the length is \"10:1,20\""}, BadText{"10:1", "the length is \"10:1\""},
        BadText{"10:1:2,3:1", "the length is"}));

}  // namespace
}  // namespace windowkv::client
