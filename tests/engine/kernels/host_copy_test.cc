#include "engine/kernels/host_copy.h"

#include "tests/engine/kernels/busy_device.h"
#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

class HostCopyTest : public KernelTest {};

TEST_P(HostCopyTest, IsWhatTheSourceHeldWhenItWasStarted) {
  at::Tensor source = Random({300, 7});
  const at::Tensor before = source.to(at::kCPU, source.scalar_type(), false, /*copy=*/true);
  const HostCopy copy(source);
  source.fill_(2);
  EXPECT_TRUE(copy.Wait().is_cpu());
  EXPECT_TRUE(copy.Wait().equal(before));
}

TEST_P(HostCopyTest, ManyMayBeOnTheirWayAndWaitedForInAnyOrder) {
  const at::Tensor first = Random({64});
  const at::Tensor second = Random({5000});
  const HostCopy first_copy(first);
  { const HostCopy given_up(Random({5000})); }
  const HostCopy second_copy(second);
  EXPECT_TRUE(second_copy.Wait().equal(second.to(at::kCPU)));
  EXPECT_TRUE(first_copy.Wait().equal(first.to(at::kCPU)));
}

TEST_P(HostCopyTest, WaitsForWhatWasStartedBeforeItAndForNothingElse) {
  if (!OnCuda()) GTEST_SKIP() << "nothing is under way on a CPU";
  at::Tensor source = Random({5000});
  HostCopy(source).Wait();  // memory is taken
  const c10::Event before = testing::KeepBusy(source.device());
  source.fill_(2);
  const HostCopy copy(source);
  EXPECT_FALSE(before.query());
  const c10::Event after = testing::KeepBusy(source.device());
  EXPECT_TRUE((copy.Wait() == 2).all().item<bool>());
  EXPECT_TRUE(before.query());
  EXPECT_FALSE(after.query());
}

INSTANTIATE_TEST_SUITE_P(Targets, HostCopyTest, ::testing::ValuesIn(KernelTargets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
