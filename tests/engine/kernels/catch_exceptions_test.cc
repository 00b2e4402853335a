#include "engine/kernels/catch_exceptions.h"

#include <ATen/ops/empty.h>
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

TEST(CatchExceptionsTest, SoIsWhatLibTorchCannotAllocate) {
  const absl::Status on_device =
      CatchExceptions([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "tried to allocate 2 GiB"); });
  EXPECT_EQ(on_device, absl::ResourceExhaustedError("tried to allocate 2 GiB"));
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's allocator ends the program";
#endif
  const absl::Status on_cpu = CatchExceptions([] { at::empty({int64_t{1} << 60}, at::kByte); });
  EXPECT_EQ(on_cpu.code(), absl::StatusCode::kResourceExhausted) << on_cpu;
}

TEST(CatchExceptionsTest, ALibTorchErrorIsInternalWithoutItsStack) {
  const absl::Status status = CatchExceptions([] { TORCH_CHECK(false, "shapes differ"); });
  EXPECT_EQ(status, absl::InternalError("shapes differ"));
}

TEST(CatchExceptionsTest, AnyOtherExceptionIsInternalWithItsMessage) {
  const absl::Status status = CatchExceptions([] { throw std::runtime_error("shapes differ"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "shapes differ");
}

}  // namespace
}  // namespace windowkv
