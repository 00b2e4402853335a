#include "server/router/forwarded_status.h"

#include <gtest/gtest.h>

#include "engine/base/status.h"
#include "server/rpc/status_mapping.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv {
namespace {

TEST(ForwardedStatusTest, ABackendsOwnDetailsPassUnchanged) {
  const grpc::Status given = testing::DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT,
                                                     "cache.beta is 0", "cache.beta", 0);
  const grpc::Status forwarded = ForwardedStatus(given, "b:1", "r1");
  EXPECT_EQ(forwarded.error_code(), given.error_code());
  EXPECT_EQ(forwarded.error_message(), given.error_message());
  EXPECT_EQ(forwarded.error_details(), given.error_details());
  EXPECT_FALSE(IsOwnUnavailable(given));
}

TEST(ForwardedStatusTest, ALostConnectionGetsDetailsAndNamesTheBackend) {
  const grpc::Status lost(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  EXPECT_TRUE(IsOwnUnavailable(lost));
  const grpc::Status forwarded = ForwardedStatus(lost, "b:1", "r1");
  EXPECT_EQ(forwarded.error_message(), "backend b:1: Socket closed");
  EXPECT_TRUE(RetryDelayOf(FromGrpcStatus(forwarded)).has_value());
}

TEST(ForwardedStatusTest, WhatGrpcSaysOfABrokenConnectionIsUnavailable) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::INTERNAL, grpc::StatusCode::UNKNOWN, grpc::StatusCode::CANCELLED}) {
    const grpc::Status broken(code, "Received RST_STREAM with error code 2");
    const absl::Status forwarded = FromGrpcStatus(ForwardedStatus(broken, "b:1", "r1"));
    EXPECT_TRUE(absl::IsUnavailable(forwarded)) << forwarded;
    EXPECT_TRUE(RetryDelayOf(forwarded).has_value());
  }
}

TEST(ForwardedStatusTest, ABackendsOwnInternalErrorStaysOne) {
  const grpc::Status bug = testing::DetailedStatus(grpc::StatusCode::INTERNAL, "a bug", "", 1);
  EXPECT_EQ(ForwardedStatus(bug, "b:1", "r1").error_code(), grpc::StatusCode::INTERNAL);
}

TEST(ForwardedStatusTest, AMessageThatABackendFindsTooLongStaysExhausted) {
  const grpc::Status too_long(grpc::StatusCode::RESOURCE_EXHAUSTED, "Received message larger");
  const grpc::Status forwarded = ForwardedStatus(too_long, "b:1", "r1");
  EXPECT_EQ(forwarded.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_FALSE(forwarded.error_details().empty());
}

TEST(ForwardedStatusTest, WhatFollowsFromAClientThatLeftIsCancelled) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::CANCELLED, grpc::StatusCode::INTERNAL, grpc::StatusCode::UNAVAILABLE}) {
    EXPECT_EQ(StatusWithoutClient({code, "RST_STREAM"}).error_code(), grpc::StatusCode::CANCELLED);
  }
  const grpc::Status late(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  EXPECT_EQ(StatusWithoutClient(late).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(StatusWithoutClient(grpc::Status::OK).ok());
}

TEST(ForwardedStatusTest, OkStaysOk) {
  EXPECT_TRUE(ForwardedStatus(grpc::Status::OK, "b:1", "r1").ok());
}

}  // namespace
}  // namespace windowkv
