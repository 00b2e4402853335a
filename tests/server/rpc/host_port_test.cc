#include "server/rpc/host_port.h"

#include "gtest/gtest.h"

namespace windowkv {
namespace {

TEST(HostPortTest, ReadsNamesAndAddresses) {
  EXPECT_EQ(*ParseHostPort("localhost:80"), (HostPort{"localhost", 80}));
  EXPECT_EQ(*ParseHostPort("127.0.0.1:0"), (HostPort{"127.0.0.1", 0}));
  EXPECT_EQ(*ParseHostPort("[::1]:65535"), (HostPort{"::1", 65535}));
}

TEST(HostPortTest, WritesWhatItReads) {
  for (const char* text : {"localhost:80", "127.0.0.1:0", "[::1]:65535"}) {
    EXPECT_EQ(ParseHostPort(text)->ToString(), text);
  }
}

TEST(HostPortTest, RefusesEverythingElseSayingWhatItFound) {
  for (const char* text : {"", "localhost", ":80", "localhost:", "localhost:http", "localhost:-1",
                           "localhost:65536", "::1:80", "[]:80", "[:80"}) {
    const auto parsed = ParseHostPort(text);
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(parsed.status().message()).find(text), std::string::npos);
  }
}

}  // namespace
}  // namespace windowkv
