#include "server/rpc/shutdown_signals.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "gtest/gtest.h"

namespace windowkv {
namespace {

// Each body runs in a process of its own, whose threads all block the signals.
class ShutdownSignalsDeathTest : public ::testing::Test {
 protected:
  ShutdownSignalsDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(ShutdownSignalsDeathTest, WaitReturnsTheFirstSignal) {
  EXPECT_EXIT(
      {
        auto signals = ShutdownSignals::Create();
        (*signals)->Arm();
        kill(getpid(), SIGINT);
        std::_Exit((*signals)->Wait() == SIGINT ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(ShutdownSignalsDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        auto signals = ShutdownSignals::Create();
        (*signals)->Arm();
        kill(getpid(), SIGTERM);
        (*signals)->Wait();
        kill(getpid(), SIGTERM);
        while (true) pause();
      },
      ::testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST_F(ShutdownSignalsDeathTest, ASignalBeforeItIsExpectedEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        auto signals = ShutdownSignals::Create();
        kill(getpid(), SIGTERM);
        while (true) pause();
      },
      ::testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST_F(ShutdownSignalsDeathTest, GoesAwayWithoutASignal) {
  EXPECT_EXIT(
      {
        ShutdownSignals::Create()->reset();
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace windowkv
