#include "engine/kernels/log_sum_exp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace windowkv {
namespace {

double Expected(const std::vector<float>& values) {
  const double maximum = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const float x : values) sum += std::exp(x - maximum);
  return maximum + std::log(sum);
}

TEST(LogSumExpTest, EqualsTheSumInFloat64) {
  std::mt19937 random(1);
  for (const size_t count : {1, 15, 16, 17, 1000, 1025, 128256}) {
    for (const float width : {1.0f, 30.0f, 1000.0f}) {
      std::vector<float> values(count);
      for (float& x : values) x = (static_cast<float>(random()) * 0x1.0p-32f - 0.7f) * width;
      EXPECT_NEAR(LogSumExp(values.data(), static_cast<int64_t>(count)), Expected(values), 1e-6)
          << count << " values, " << width << " wide";
    }
  }
}

TEST(LogSumExpTest, WhatIsRuledOutCountsForNothing) {
  std::vector<float> values(100, -std::numeric_limits<float>::infinity());
  values[70] = 3;
  EXPECT_EQ(LogSumExp(values.data(), 100), 3);
}

}  // namespace
}  // namespace windowkv
