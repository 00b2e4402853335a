#include "engine/base/catch_exceptions.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace windowkv {
namespace {

TEST(CatchExceptionsTest, IsOkWhenNothingIsThrown) {
  bool ran = false;
  EXPECT_TRUE(CatchExceptions([&ran] { ran = true; }).ok());
  EXPECT_TRUE(ran);
}

TEST(CatchExceptionsTest, OutOfMemoryIsResourceExhausted) {
  const absl::Status status = CatchExceptions([] { throw std::bad_alloc(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST(CatchExceptionsTest, AnyOtherExceptionIsInternalWithItsMessage) {
  const absl::Status status = CatchExceptions([] { throw std::runtime_error("shapes differ"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "shapes differ");
}

}  // namespace
}  // namespace windowkv
