#include "server/generation/engine_health.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_engine.h"

namespace windowkv {
namespace {

TEST(EngineHealthTest, AnEngineIsHealthyUntilAStepTakesTooLongAndAgainAfterIt) {
  testing::FakeEngine engine;
  EngineHealth health(&engine, absl::Seconds(8), Logger::Silent());
  EXPECT_TRUE(health.Check());
  engine.SetHeartbeatAge(absl::Milliseconds(7999));
  EXPECT_TRUE(health.Check());
  engine.SetHeartbeatAge(absl::Seconds(8));
  EXPECT_FALSE(health.Check());
  engine.SetHeartbeatAge(absl::ZeroDuration());
  EXPECT_TRUE(health.Check());
}

TEST(EngineHealthTest, TheRequestsOfAStuckStepAreLoggedOnce) {
  testing::FakeEngine engine;
  engine.SetHeartbeatAge(absl::Seconds(9));
  ::testing::internal::CaptureStderr();
  EngineHealth health(&engine, absl::Seconds(8), *Logger::Create("test", "info"));
  for (int probe = 0; probe < 3; ++probe) EXPECT_FALSE(health.Check());
  const std::string log = ::testing::internal::GetCapturedStderr();
  const size_t first = log.find("request_ids=stuck-1,stuck-2");
  EXPECT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("request_ids", first + 1), std::string::npos) << log;
}

TEST(EngineHealthTest, AnEngineWithoutItsDeviceIsUnhealthyForGoodAndSaysWhyOnce) {
  testing::FakeEngine engine;
  ::testing::internal::CaptureStderr();
  EngineHealth health(&engine, absl::Seconds(8), *Logger::Create("test", "info"));
  EXPECT_FALSE(health.HasFailed());
  engine.SetDeviceStatus(absl::InternalError("an illegal memory access"));
  for (int probe = 0; probe < 3; ++probe) EXPECT_FALSE(health.Check());
  EXPECT_TRUE(health.HasFailed());
  const std::string log = ::testing::internal::GetCapturedStderr();
  const size_t first = log.find("an illegal memory access");
  EXPECT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("an illegal memory access", first + 1), std::string::npos) << log;
}

}  // namespace
}  // namespace windowkv
