#include "server/rpc/logging.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(LogfmtPairTest, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(LogfmtPair("key", "plain"), " key=plain");
  EXPECT_EQ(LogfmtPair("key", ""), " key=\"\"");
  EXPECT_EQ(LogfmtPair("key", "two words"), " key=\"two words\"");
  EXPECT_EQ(LogfmtPair("key", "a=b"), " key=\"a=b\"");
}

TEST(LogfmtPairTest, NoValueCanEndTheLineOrItsQuotes) {
  EXPECT_EQ(LogfmtPair("key", "a\nb\"c\\d\x01"), " key=\"a\\nb\\\"c\\\\d\\u0001\"");
}

TEST(LoggerTest, WritesOneLineOfPairsToStderr) {
  const Logger logger = *Logger::Create("windowkv-test", "info");
  ::testing::internal::CaptureStderr();
  logger.Info("request finished",
              {{"tokens", 12}, {"ttft", absl::Milliseconds(250)}, {"ok", true}});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              MatchesRegex("time=[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z level=info "
                           "program=windowkv-test msg=\"request finished\" tokens=12 ttft=0.25 "
                           "ok=true\n"));
}

TEST(LoggerTest, EveryLineOfARequestCarriesItsId) {
  const Logger logger = Logger::Create("windowkv-test", "debug")->ForRequest("r1");
  ::testing::internal::CaptureStderr();
  logger.Debug("first");
  logger.Error("second");
  const std::string lines = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, HasSubstr("level=debug program=windowkv-test request_id=r1 msg=first"));
  EXPECT_THAT(lines, HasSubstr("level=error program=windowkv-test request_id=r1 msg=second"));
}

TEST(LoggerTest, EveryLineOfATraceCarriesItsIdBesideTheRequests) {
  const Logger logger = Logger::Create("windowkv-test", "info")->ForTrace("t1").ForRequest("r1");
  ::testing::internal::CaptureStderr();
  logger.Info("first");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("program=windowkv-test trace_id=t1 request_id=r1 msg=first"));
}

TEST(LoggerTest, WritesNothingBelowItsLevel) {
  const Logger logger = *Logger::Create("windowkv-test", "warning");
  ::testing::internal::CaptureStderr();
  logger.Info("unseen");
  Logger::Silent().Error("unseen");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(LoggerTest, RefusesAnUnknownLevel) {
  const auto logger = Logger::Create("windowkv-test", "loud");
  EXPECT_EQ(logger.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(logger.status().message()), HasSubstr("loud"));
}

}  // namespace
}  // namespace windowkv
