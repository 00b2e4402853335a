#include "server/rpc/request_id.h"

#include <string>

#include "engine/base/status.h"
#include "gtest/gtest.h"

namespace windowkv {
namespace {

TEST(RequestIdTest, KeepsTheClientsId) { EXPECT_EQ(*RequestIdOrNew("my request"), "my request"); }

TEST(RequestIdTest, MakesAFreshOneWhenThereIsNone) {
  const std::string first = *RequestIdOrNew("");
  EXPECT_EQ(first.size(), 18u);
  EXPECT_NE(first, *RequestIdOrNew(""));
}

TEST(RequestIdTest, RefusesMoreThan128Bytes) {
  EXPECT_TRUE(RequestIdOrNew(std::string(128, 'a')).ok());
  const auto refused = RequestIdOrNew(std::string(129, 'a'));
  EXPECT_EQ(FieldOf(refused.status()), "request_id");
  EXPECT_EQ(refused.status().message(), "request_id has 129 bytes, must have at most 128");
}

TEST(RequestIdTest, RefusesControlCharacters) {
  EXPECT_EQ(FieldOf(RequestIdOrNew("a\nlevel=error").status()), "request_id");
}

}  // namespace
}  // namespace windowkv
