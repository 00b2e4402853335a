#include "client/message_size.h"

#include <gtest/gtest.h>
#include <windowkv/v1/generation.pb.h>

#include <string>

namespace windowkv::client {
namespace {

TEST(MessageSizeTest, CountsWhatTheMessageHasOnTheWire) {
  v1::TokenizeRequest request;
  request.set_text(std::string(100, 'x'));
  const size_t size = request.SerializeAsString().size();
  EXPECT_TRUE(CheckMessageSize(request, size).ok());
  EXPECT_EQ(CheckMessageSize(request, size - 1),
            absl::OutOfRangeError("the request has 102 bytes, must have at most 101"));
}

}  // namespace
}  // namespace windowkv::client
