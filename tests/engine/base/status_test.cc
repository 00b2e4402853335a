#include "engine/base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace windowkv {
namespace {

TEST(StatusTest, InvalidFieldNamesTheFieldInMessageAndPayload) {
  const absl::Status status = InvalidField("cache.window_size", "is 0, must be in [1, 1024]");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "cache.window_size is 0, must be in [1, 1024]");
  EXPECT_EQ(FieldOf(status), "cache.window_size");
}

TEST(StatusTest, FieldErrorTakesAnyCode) {
  const absl::Status status =
      FieldError(absl::StatusCode::kOutOfRange, "prompt", "has 9000 tokens");
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(FieldOf(status), "prompt");
}

TEST(StatusTest, PlainStatusHasNeitherFieldNorRetryDelay) {
  const absl::Status status = absl::InternalError("a bug");
  EXPECT_EQ(FieldOf(status), std::nullopt);
  EXPECT_EQ(RetryDelayOf(status), std::nullopt);
  EXPECT_EQ(FieldOf(absl::OkStatus()), std::nullopt);
}

TEST(StatusTest, RetryDelaySurvivesToTheNanosecond) {
  for (const absl::Duration delay :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(1500), absl::Hours(3)}) {
    const absl::Status status = WithRetryDelay(absl::ResourceExhaustedError("queue full"), delay);
    EXPECT_EQ(RetryDelayOf(status), delay);
    EXPECT_EQ(status.message(), "queue full");
  }
}

TEST(StatusTest, AnnotateKeepsCodeAndPayloads) {
  const absl::Status status =
      Annotate(WithRetryDelay(InvalidField("prompt", "is empty"), absl::Seconds(2)), "backend a:1");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "backend a:1: prompt is empty");
  EXPECT_EQ(FieldOf(status), "prompt");
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(2));
}

TEST(StatusTest, AnnotateLeavesOkAlone) { EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok()); }

absl::StatusOr<std::unique_ptr<int>> Parse(bool good) {
  if (!good) return absl::DataLossError("bad");
  return std::make_unique<int>(7);
}

absl::StatusOr<int> TwiceParsed(bool first_good, bool second_good) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, Parse(first_good));
  WINDOWKV_RETURN_IF_ERROR(Parse(second_good).status());
  return 2 * *first;
}

TEST(StatusTest, MacrosReturnTheFirstErrorAndElseTheValue) {
  EXPECT_EQ(TwiceParsed(true, true).value(), 14);
  EXPECT_EQ(TwiceParsed(false, true).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(TwiceParsed(true, false).status().code(), absl::StatusCode::kDataLoss);
}

TEST(StatusTest, StringViewsConvertBothWaysWithEmbeddedZeros) {
  const std::string bytes("a\0b", 3);
  EXPECT_EQ(ToStd(ToAbsl(bytes)), bytes);
}

}  // namespace
}  // namespace windowkv
