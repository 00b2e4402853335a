#include "server/rpc/status_mapping.h"

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "engine/base/status.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

// The first detail of type `Detail`; a default one when there is none.
template <typename Detail>
std::optional<Detail> DetailOf(const grpc::Status& status) {
  google::rpc::Status proto;
  EXPECT_TRUE(proto.ParseFromString(status.error_details()));
  for (const auto& any : proto.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

TEST(StatusMappingTest, OkStaysPlainOk) {
  const grpc::Status status = ToGrpcStatus(absl::OkStatus(), "r1");
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.error_details(), "");
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(StatusMappingTest, NamesTheFieldInABadRequest) {
  const auto status = ToGrpcStatus(InvalidField("cache.beta", "is 0, must be in [1, 1024]"), "r1");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "cache.beta is 0, must be in [1, 1024]");
  const auto bad_request = DetailOf<google::rpc::BadRequest>(status);
  ASSERT_TRUE(bad_request.has_value());
  ASSERT_EQ(bad_request->field_violations_size(), 1);
  EXPECT_EQ(bad_request->field_violations(0).field(), "cache.beta");
  EXPECT_EQ(bad_request->field_violations(0).description(), status.error_message());
}

TEST(StatusMappingTest, EveryErrorCarriesReasonDomainAndRequestId) {
  const auto status = ToGrpcStatus(absl::InternalError("a bug"), "request-7");
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason(), "INTERNAL");
  EXPECT_EQ(info->domain(), "windowkv.v1");
  EXPECT_EQ(info->metadata().at("request_id"), "request-7");
  EXPECT_FALSE(DetailOf<google::rpc::BadRequest>(status).has_value());
  EXPECT_FALSE(DetailOf<google::rpc::RetryInfo>(status).has_value());
}

TEST(StatusMappingTest, AFullQueueSaysWhenToRetryAndWhichQuotaFailed) {
  const auto status = ToGrpcStatus(
      WithRetryDelay(absl::ResourceExhaustedError("queue full"), absl::Milliseconds(1500)), "r1");
  const auto retry = DetailOf<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->retry_delay().seconds(), 1);
  EXPECT_EQ(retry->retry_delay().nanos(), 500'000'000);
  const auto quota = DetailOf<google::rpc::QuotaFailure>(status);
  ASSERT_TRUE(quota.has_value());
  EXPECT_EQ(quota->violations(0).description(), "queue full");
}

TEST(StatusMappingTest, CodeMessageFieldAndDelaySurviveTheRoundTrip) {
  const absl::Status original = WithRetryDelay(
      FieldError(absl::StatusCode::kOutOfRange, "text", "has 9000 tokens"), absl::Seconds(2));
  const absl::Status back = FromGrpcStatus(ToGrpcStatus(original, "r1"));
  EXPECT_EQ(back.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(back.message(), original.message());
  EXPECT_EQ(FieldOf(back), "text");
  EXPECT_EQ(RetryDelayOf(back), absl::Seconds(2));
}

TEST(StatusMappingTest, EveryCodeSurvivesTheRoundTrip) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status, "")).code(), status.code());
  }
}

TEST(StatusMappingTest, ShortensALongMessageBetweenCharacters) {
  // An odd byte first, so that the limit falls inside one of the two-byte characters.
  std::string message = "x";
  for (int i = 0; i < 3000; ++i) message += "\xC3\xA9";
  const auto status = ToGrpcStatus(absl::InvalidArgumentError(message), "r1");
  EXPECT_LT(status.error_message().size(), 1100u);
  EXPECT_LT(status.error_details().size(), 4000u);
  const std::string kept = status.error_message().substr(0, status.error_message().size() - 3);
  EXPECT_EQ(kept.size() % 2, 1u);
  EXPECT_THAT(status.error_message(), ::testing::EndsWith("\xC3\xA9..."));
}

TEST(StatusMappingTest, DetailsThatDoNotParseAreLeftOut) {
  const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "gone", "\xFF not a protobuf");
  const absl::Status back = FromGrpcStatus(status);
  EXPECT_EQ(back.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(back.message(), "gone");
  EXPECT_FALSE(FieldOf(back).has_value());
}

TEST(StatusMappingTest, UnavailableAlwaysSaysWhenToRetry) {
  const absl::Status plain = FromGrpcStatus(ToGrpcStatus(absl::UnavailableError("draining"), "r"));
  EXPECT_EQ(RetryDelayOf(plain), absl::Seconds(1));
  const absl::Status own = WithRetryDelay(absl::UnavailableError("draining"), absl::Seconds(7));
  EXPECT_EQ(RetryDelayOf(FromGrpcStatus(ToGrpcStatus(own, "r"))), absl::Seconds(7));
}

}  // namespace
}  // namespace windowkv
