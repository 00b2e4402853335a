#include <memory>
#include <string>
#include <thread>

#include "engine/base/status.h"
#include "gtest/gtest.h"
#include "server/rpc/status_mapping.h"
#include "tests/server/generation/generation_service_fixture.h"

namespace windowkv {
namespace {

using ::windowkv::testing::Call;
using ::windowkv::testing::RequestIdOf;

// Far more than HTTP/2 lets a server send to a client that does not read.
constexpr size_t kLongTextBytes = 16 << 20;

// A client that reads the first message of a long answer and then no more for a while.
class SlowReaderTest : public testing::GenerationServiceTest {
 protected:
  using GenerationServiceTest::GenerationServiceTest;

  // The service holds the stream as long as the call.
  void WaitUntilTheCallIsGone() const {
    while (stream_.use_count() > uses_without_a_call_) std::this_thread::yield();
  }

  const std::shared_ptr<TokenStream> stream_ = AnswerWithOpenStream();
  const long uses_without_a_call_ = stream_.use_count();
};

// One that does not read on in time for its call to end with details.
class LostReaderTest : public SlowReaderTest {
 protected:
  LostReaderTest() : SlowReaderTest(absl::Milliseconds(20)) {}
};

// One that does.
class LateReaderTest : public SlowReaderTest {
 protected:
  LateReaderTest() : SlowReaderTest(absl::Seconds(1)) {}
};

TEST_F(LateReaderTest, ItsRequestIsCancelledAndItHearsWhyWhenItReadsOn) {
  Call call(stub_.get(), TextRequest());
  v1::GenerateResponse response;
  stream_->Push(AcceptedEvent{});
  ASSERT_TRUE(call.Read(&response));
  stream_->Push(ChunkEvent{std::string(kLongTextBytes, 'x'), {1}, {}});
  found_slow_.get_future().wait();
  EXPECT_TRUE(stream_->cancelled());

  ASSERT_TRUE(call.Read(&response));
  EXPECT_EQ(response.chunk().text().size(), kLongTextBytes);
  EXPECT_FALSE(call.Read(&response));
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_FALSE(RetryDelayOf(FromGrpcStatus(status)).has_value());
  EXPECT_EQ(RequestIdOf(status), "r1");
}

TEST_F(LostReaderTest, ItsCallEndsEvenWhenItNeverReadsOn) {
  Call call(stub_.get(), TextRequest());
  v1::GenerateResponse response;
  stream_->Push(AcceptedEvent{});
  ASSERT_TRUE(call.Read(&response));
  stream_->Push(ChunkEvent{std::string(kLongTextBytes, 'x'), {1}, {}});
  WaitUntilTheCallIsGone();
  EXPECT_TRUE(stream_->cancelled());
  EXPECT_FALSE(call.Read(&response));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(LostReaderTest, AFinishedAnswerIsNotKeptForItForEver) {
  Call call(stub_.get(), TextRequest());
  v1::GenerateResponse response;
  stream_->Push(AcceptedEvent{});
  ASSERT_TRUE(call.Read(&response));
  FinishedEvent finished;
  finished.matched_stop = std::string(kLongTextBytes, 'x');
  stream_->Push(finished);
  WaitUntilTheCallIsGone();
  EXPECT_FALSE(call.Read(&response));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace windowkv
