#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/kernels/cuda_device.h"
#include "engine/runtime/engine_loop.h"
#include "engine/runtime/model_runner.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/last_state_metrics.h"
#include "tests/testing/loop_sequence.h"

// What a real error of a CUDA device does. It stays with the process, so the test has a program of
// its own.

namespace windowkv {
namespace {

TEST(DeviceMemoryTest, WeightsThatTheDeviceCannotHoldAreRefusedBeforeTheyAreLoaded) {
  if (CudaDeviceCount() == 0) GTEST_SKIP() << "there is no CUDA device here";
  ModelRunner::Config config;
  config.model_dir = testing::SourceDir() + "/deploy/models/demo_llama";
  config.model = *LoadLlamaConfig(config.model_dir);
  config.model.num_layers = 1'000'000;
  config.device = at::Device(at::kCUDA, 0);
  const absl::Status status = ModelRunner::Create(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("the weights take"));
}

class DeviceFailureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (CudaDeviceCount() == 0) GTEST_SKIP() << "there is no CUDA device here";
    ModelRunner::Config config;
    config.model_dir = dir_;
    config.model = *LoadLlamaConfig(dir_);
    config.device = at::Device(at::kCUDA, 0);
    config.kv_pool_bytes = int64_t{512} << 20;  // all of them at once
    EngineLoop::Config loop;
    loop.num_layers = config.model.num_layers;
    loop_ = std::make_unique<EngineLoop>(loop, *ModelRunner::Create(config), &tokenizer_, &queue_,
                                         &metrics_);
  }

  std::shared_ptr<TokenStream> Add(std::vector<int32_t> prompt, float presence_penalty = 0) {
    constexpr int32_t kManyTokens = 4000;
    EXPECT_TRUE(queue_.Enter(0).ok());
    std::unique_ptr<Sequence> sequence =
        testing::MakeLoopSequence(*loop_, "", std::move(prompt), kManyTokens);
    sequence->sampling.presence_penalty = presence_penalty;
    std::shared_ptr<TokenStream> stream = sequence->stream;
    loop_->Add(std::move(sequence));
    return stream;
  }

  static absl::Status EndOf(TokenStream& stream) {
    while (true) {
      const StreamEvent event = *stream.Next();
      if (const auto* status = std::get_if<absl::Status>(&event)) return *status;
      if (IsLast(event)) return absl::OkStatus();
    }
  }

  const std::string dir_ = testing::SourceDir() + "/deploy/models/demo_llama";
  const RequestTokenizer tokenizer_ = *RequestTokenizer::Create(dir_, 1 << 20);
  RequestQueue queue_{RequestQueue::Limits{}};
  testing::LastStateMetrics metrics_;
  std::unique_ptr<EngineLoop> loop_;
};

TEST_F(DeviceFailureTest, AnErrorOfAKernelEndsEveryRequestAndThoseThatComeLater) {
  const auto running = Add({10, 11, 12});
  // Its steps must wait for the tokens of those before them, which never come.
  const auto penalised = Add({14, 15}, /*presence_penalty=*/1);
  StreamEvent event;
  do {
    event = *running->Next();
  } while (!std::holds_alternative<ChunkEvent>(event));
  EXPECT_TRUE(loop_->device_status().ok());
  const auto impossible = Add({1 << 30});  // no row of the embedding: a kernel fails
  for (const auto& stream : {impossible, running, penalised, Add({13})}) {
    const absl::Status status = EndOf(*stream);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("the device has failed"));
  }
  EXPECT_EQ(loop_->device_status().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(10)));
}

}  // namespace
}  // namespace windowkv
