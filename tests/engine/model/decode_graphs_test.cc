#include "engine/model/decode_graphs.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "engine/kernels/cuda_device.h"

namespace windowkv {
namespace {

DecodeGraphs::Config Config(int64_t max_rows) {
  return {.num_layers = 2, .vocab_size = 10, .max_blocks = 3, .max_rows = max_rows};
}

TEST(DecodeGraphsTest, StepsAreFilledUpToAFewSizes) {
  int64_t rows = 0;
  for (const int64_t batch : {1, 2, 4, 8, 16, 32, 48, 64}) {
    while (++rows <= batch) EXPECT_EQ(DecodeGraphs::BatchFor(rows), batch) << rows;
    --rows;
  }
}

TEST(DecodeGraphsTest, BytesAreThoseOfTheLargestStepAlone) {
  const int64_t inputs = DecodeInputs::Size(/*batch=*/32, /*num_layers=*/2, /*table_stride=*/3);
  EXPECT_EQ(DecodeGraphs::Bytes(Config(20)), 4 * inputs + 32 * 10 * 4);
}

class CapturedDecodeGraphsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (CudaDeviceCount() == 0) GTEST_SKIP() << "no CUDA device here";
    UseCudaDevice(device_);
  }

  // Runs a step whose logits are the tokens, which are `token` in every row.
  at::Tensor Run(DecodeGraphs& graphs, int64_t batch, int32_t token) {
    const at::Tensor filled = at::full({DecodeInputs::Size(batch, 2, 3)}, token, at::kInt);
    return graphs
        .Run(filled.pin_memory(), {}, batch,
             [this](const DecodeInputs& inputs, at::Tensor& logits) {
               ++steps_;
               logits.copy_(inputs.Tokens().unsqueeze(1).expand({-1, 10}));
               TORCH_CHECK_WITH(OutOfMemoryError, steps_ != fails_at_, "no memory");
             })
        .to(at::kCPU);
  }

  static void ExpectRows(const at::Tensor& logits, int64_t rows, float value) {
    EXPECT_TRUE(logits.equal(at::full({rows, 10}, value, at::kFloat))) << logits;
  }

  const at::Device device_{at::kCUDA, 0};
  int steps_ = 0;  // those that were run or captured, and not replayed
  int fails_at_ = 0;
};

TEST_F(CapturedDecodeGraphsTest, ASizeIsCapturedOnceAndReplayed) {
  const auto graphs = MakeDecodeGraphs(Config(4), device_);
  for (const int32_t token : {3, 5, 7}) {
    ExpectRows(Run(*graphs, 2, token), 2, static_cast<float>(token));
    ExpectRows(Run(*graphs, 4, token + 1), 4, static_cast<float>(token + 1));
  }
  EXPECT_EQ(steps_, 4);
}

TEST_F(CapturedDecodeGraphsTest, MoreRowsThanWereSaidAreRunAllTheSame) {
  const auto graphs = MakeDecodeGraphs(Config(1), device_);
  for (const int64_t batch : {1, 8, 32, 8, 1}) {
    ExpectRows(Run(*graphs, batch, static_cast<int32_t>(batch) + 1), batch,
               static_cast<float>(batch) + 1);
  }
}

TEST_F(CapturedDecodeGraphsTest, WithoutMemoryForACaptureStepsGoOnOneByOne) {
  const auto graphs = MakeDecodeGraphs(Config(4), device_);
  fails_at_ = 2;
  ExpectRows(Run(*graphs, 2, 3), 2, 3);
  ExpectRows(Run(*graphs, 2, 4), 2, 4);
  EXPECT_EQ(steps_, 3) << "one run, one capture that failed, one run";
  ExpectRows(Run(*graphs, 4, 5), 4, 5);
  ExpectRows(Run(*graphs, 4, 6), 4, 6);
  EXPECT_EQ(steps_, 5) << "another size is captured";
}

}  // namespace
}  // namespace windowkv
