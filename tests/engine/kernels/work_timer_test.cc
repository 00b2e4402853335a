#include "engine/kernels/work_timer.h"

#include <ATen/ops/mm.h>

#include "engine/base/monotonic_clock.h"
#include "tests/engine/kernels/kernel_test.h"

namespace windowkv {
namespace {

class WorkTimerTest : public KernelTest {
 protected:
  void Work() {
    at::mm(matrix_, matrix_);
    if (OnCuda()) SynchronizeCuda();
  }

  const at::Tensor matrix_ = Random({500, 500});
};

TEST_P(WorkTimerTest, CountsTheWorkBetweenStartAndStopAlone) {
  WorkTimer timer;
  EXPECT_EQ(timer.Total(), absl::ZeroDuration());
  absl::Duration within;
  for (int part = 0; part < 3; ++part) {
    Work();
    const absl::Duration start = MonotonicNow();
    timer.Start(GetParam().device);
    Work();
    timer.Stop(GetParam().device);
    if (OnCuda()) SynchronizeCuda();
    within += MonotonicNow() - start;
    EXPECT_GT(timer.Total(), absl::ZeroDuration());
    EXPECT_LE(timer.Total(), within);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, WorkTimerTest, ::testing::ValuesIn(Float32Targets()),
                         KernelTargetName);

}  // namespace
}  // namespace windowkv
