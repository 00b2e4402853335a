#include "client/error_details.h"

#include <gtest/gtest.h>

#include "client/command_line/error_line.h"
#include "tests/testing/fake_generation_server.h"

namespace windowkv::client {
namespace {

TEST(ErrorDetailsTest, ReadsFieldAndRetryDelayFromTheStatusDetails) {
  const absl::Status status = FromRpcStatus(testing::DetailedStatus(
      grpc::StatusCode::RESOURCE_EXHAUSTED, "queue is full", "cache.beta", 3));
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  const ErrorDetails details = DetailsOf(status);
  ASSERT_EQ(details.fields.size(), 1u);
  EXPECT_EQ(details.fields[0], "cache.beta");
  EXPECT_EQ(details.retry_after, absl::Seconds(3));
}

TEST(ErrorDetailsTest, KeepsCodeAndMessageWhenDetailsAreGarbage) {
  const absl::Status status =
      FromRpcStatus({grpc::StatusCode::INTERNAL, "broken", "\xff\xff not a protobuf"});
  EXPECT_EQ(status, absl::InternalError("broken"));
  EXPECT_TRUE(DetailsOf(status).fields.empty());
}

TEST(ErrorDetailsTest, OkStaysOk) { EXPECT_TRUE(FromRpcStatus(grpc::Status::OK).ok()); }

TEST(ErrorLineTest, NamesCodeFieldMessageAndRetryOnOneLine) {
  const absl::Status status = FromRpcStatus(testing::DetailedStatus(
      grpc::StatusCode::RESOURCE_EXHAUSTED, "queue\nis full", "request_id", 2));
  EXPECT_EQ(ErrorLine(status), "RESOURCE_EXHAUSTED request_id: queue is full; retry after 2s");
}

TEST(ErrorLineTest, SaysWhatACallToTheWrongKindOfServerMeans) {
  EXPECT_EQ(ErrorLine(absl::UnimplementedError("")),
            "UNIMPLEMENTED: the server does not offer this call");
}

TEST(ErrorLineTest, ExitCodeTellsUnreachableFromRefused) {
  EXPECT_EQ(ExitCodeFor(absl::OkStatus()), kExitDone);
  EXPECT_EQ(ExitCodeFor(absl::UnavailableError("draining")), kExitServerError);
  EXPECT_EQ(ExitCodeFor(MarkUnreachable(absl::UnavailableError("refused"))), kExitUnreachable);
}

}  // namespace
}  // namespace windowkv::client
