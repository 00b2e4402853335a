#include "client/load/arrival_process.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace windowkv::client {
namespace {

struct Gaps {
  double mean = 0;
  // Standard deviation over mean: 1 for a Poisson process, 1 / sqrt(shape) for gamma gaps.
  double variation = 0;
};

Gaps MeasureGaps(const ArrivalProcess::Config& config) {
  constexpr int kGaps = 100000;
  ArrivalProcess process = *ArrivalProcess::Create(config);
  absl::Duration last = process.Next();
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kGaps; ++i) {
    const absl::Duration next = process.Next();
    const double gap = absl::ToDoubleSeconds(next - last);
    EXPECT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
    last = next;
  }
  const double mean = sum / kGaps;
  return {mean, std::sqrt(squares / kGaps - mean * mean) / mean};
}

TEST(ArrivalProcessTest, TheFirstRequestComesAtOnce) {
  EXPECT_EQ(ArrivalProcess::Create({.rate = 0.001})->Next(), absl::ZeroDuration());
}

TEST(ArrivalProcessTest, ConstantGapsAreTheRatesInverse) {
  ArrivalProcess process =
      *ArrivalProcess::Create({.rate = 8, .gaps = ArrivalProcess::Gaps::kConstant});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(process.Next(), i * absl::Milliseconds(125));
}

TEST(ArrivalProcessTest, PoissonGapsVaryAsMuchAsTheirMean) {
  const Gaps gaps = MeasureGaps({.rate = 50, .seed = 3});
  EXPECT_NEAR(gaps.mean, 0.02, 0.0004);
  EXPECT_NEAR(gaps.variation, 1, 0.02);
}

TEST(ArrivalProcessTest, BurstinessChangesTheVariationAndNotTheRate) {
  const Gaps bursts = MeasureGaps({.rate = 50, .burstiness = 0.25, .seed = 3});
  EXPECT_NEAR(bursts.mean, 0.02, 0.0006);
  EXPECT_NEAR(bursts.variation, 2, 0.06);
  const Gaps even = MeasureGaps({.rate = 50, .burstiness = 100, .seed = 3});
  EXPECT_NEAR(even.mean, 0.02, 0.0002);
  EXPECT_NEAR(even.variation, 0.1, 0.002);
}

TEST(ArrivalProcessTest, TheSameSeedGivesTheSameTimes) {
  ArrivalProcess one = *ArrivalProcess::Create({.rate = 2, .seed = 7});
  ArrivalProcess same = *ArrivalProcess::Create({.rate = 2, .seed = 7});
  ArrivalProcess other = *ArrivalProcess::Create({.rate = 2, .seed = 8});
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const absl::Duration time = one.Next();
    EXPECT_EQ(time, same.Next());
    differs |= time != other.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(ArrivalProcessTest, RefusesWhatIsOutOfRangeAndSaysTheRange) {
  for (const double rate :
       {0.0, -1.0, 100001.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    const absl::Status status = ArrivalProcess::Create({.rate = rate}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << rate;
  }
  EXPECT_EQ(ArrivalProcess::Create({.rate = 0}).status().message(),
            "the rate is 0, must be in (0, 100000] requests per second");
  for (const double burstiness : {0.0, -1.0, 1001.0, std::nan("")}) {
    const absl::Status status = ArrivalProcess::Create({.burstiness = burstiness}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << burstiness;
  }
  EXPECT_EQ(ArrivalProcess::Create({.burstiness = 0}).status().message(),
            "the burstiness is 0, must be in [0.01, 1000]");
}

}  // namespace
}  // namespace windowkv::client
