#include "client/cancellation.h"

#include <gtest/gtest.h>

namespace windowkv::client {
namespace {

TEST(CancellationTest, TellsEveryScopeThatLives) {
  Cancellation cancellation;
  int told = 0;
  const auto count = [&told] { ++told; };
  const CancellationScope one(&cancellation, count);
  const CancellationScope other(&cancellation, count);
  { const CancellationScope gone(&cancellation, count); }
  EXPECT_FALSE(cancellation.cancelled());
  cancellation.Cancel();
  EXPECT_TRUE(cancellation.cancelled());
  EXPECT_EQ(told, 2);
}

TEST(CancellationTest, TellsALaterScopeAtOnce) {
  Cancellation cancellation;
  cancellation.Cancel();
  bool told = false;
  const CancellationScope scope(&cancellation, [&told] { told = true; });
  EXPECT_TRUE(told);
}

TEST(CancellationTest, AScopeUnderNothingHearsNothing) {
  bool told = false;
  {
    const CancellationScope scope(nullptr, [&told] { told = true; });
  }
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace windowkv::client
