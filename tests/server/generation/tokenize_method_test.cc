#include "server/generation/tokenize_method.h"

#include <functional>
#include <string>
#include <utility>

#include "engine/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_engine.h"

namespace windowkv {
namespace {

using ::testing::HasSubstr;

class TokenizeMethodTest : public ::testing::Test {
 protected:
  TokenizeMethodTest() {
    engine_.on_tokenize = [this] {
      ++encoded_;
      if (const auto run = std::exchange(on_encode_, {})) run();
    };
  }

  static v1::TokenizeRequest TextOf(size_t bytes) {
    v1::TokenizeRequest request;
    request.set_text(std::string(bytes, 'x'));
    return request;
  }
  absl::Status Run(
      const v1::TokenizeRequest& request,
      const std::function<bool()>& cancelled = [] { return false; }) {
    v1::TokenizeResponse response;
    return method_.Run(request, cancelled, &response);
  }

  testing::FakeEngine engine_;
  int encoded_ = 0;
  std::function<void()> on_encode_;  // once
  TokenizeMethod method_{&engine_};
};

TEST_F(TokenizeMethodTest, RefusesWhatCannotFitTheContextWithoutEncodingIt) {
  engine_.info.context_length = 100;
  EXPECT_TRUE(Run(TextOf(6400)).ok());
  const absl::Status status = Run(TextOf(6401));
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(FieldOf(status), "text");
  EXPECT_THAT(std::string(status.message()), HasSubstr("has 6401 bytes, must have at most 6400"));
  EXPECT_EQ(encoded_, 1);
}

TEST_F(TokenizeMethodTest, CountsAllMessagesOfAChat) {
  engine_.info.context_length = 100;
  v1::TokenizeRequest request;
  for (int i = 0; i < 7; ++i) {
    request.mutable_chat()->add_messages()->set_role("user");
    request.mutable_chat()->mutable_messages(i)->set_content(std::string(1000, 'x'));
  }
  const absl::Status status = Run(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(FieldOf(status), "chat");
}

TEST_F(TokenizeMethodTest, RefusesWhatWouldMakeTooMuchAtOnceUntilThereIsRoom) {
  engine_.info.context_length = 1 << 20;
  absl::Status beside;
  absl::Status small_beside;
  on_encode_ = [&] {
    beside = Run(TextOf(3 << 20));
    small_beside = Run(TextOf(1 << 20));
  };
  EXPECT_TRUE(Run(TextOf(2 << 20)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(beside)) << beside;
  EXPECT_TRUE(RetryDelayOf(beside).has_value());
  EXPECT_TRUE(small_beside.ok()) << small_beside;
  EXPECT_TRUE(Run(TextOf(3 << 20)).ok());
  EXPECT_TRUE(Run(TextOf(5 << 20)).ok()) << "alone a longer text is taken";
}

TEST_F(TokenizeMethodTest, DoesNothingForAClientThatLeft) {
  EXPECT_TRUE(absl::IsCancelled(Run(TextOf(100), [] { return true; })));
  EXPECT_EQ(encoded_, 0);
}

TEST_F(TokenizeMethodTest, StopsWhenTheClientLeavesMeanwhile) {
  EXPECT_TRUE(absl::IsCancelled(Run(TextOf(100), [this] { return encoded_ > 0; })));
}

}  // namespace
}  // namespace windowkv
