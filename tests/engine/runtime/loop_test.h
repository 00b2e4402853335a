#ifndef WINDOWKV_TESTS_ENGINE_RUNTIME_LOOP_TEST_H_
#define WINDOWKV_TESTS_ENGINE_RUNTIME_LOOP_TEST_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/engine_loop.h"
#include "tests/testing/fake_batch_runner.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/loop_sequence.h"

namespace windowkv {

class CountingMetrics final : public EngineMetrics {
 public:
  void OnRequestFinished(const RequestEnd& end) override { ++finished; }
  void OnRequestFailed(absl::StatusCode code) override {
    if (code == absl::StatusCode::kInternal) ++internal;
  }
  void OnFirstToken(absl::Duration since_arrival) override { ++tokens; }
  void OnNextToken(absl::Duration since_previous) override { ++tokens; }
  void OnStep(int32_t decoded, int64_t token_layers, absl::Duration duration) override {}
  void OnPreempted() override { ++preempted; }
  void OnDeadlineUnreachable() override { ++unreachable; }
  void OnState(const State& state) override {}

  std::atomic<int> finished{0};
  std::atomic<int> internal{0};
  std::atomic<int> tokens{0};
  std::atomic<int> preempted{0};
  std::atomic<int> unreachable{0};
};

// An engine loop with a fake runner, and what its requests read.
class LoopTest : public ::testing::Test {
 protected:
  static constexpr int32_t kVocabulary = 50;

  void Start(testing::FakeBatchRunner::Options options, EngineLoop::Config config = {}) {
    config.num_layers = options.geometry.num_layers;
    loop_ = std::make_unique<EngineLoop>(
        config, std::make_unique<testing::FakeBatchRunner>(std::move(options)), &tokenizer_,
        &queue_, &metrics_);
  }

  std::unique_ptr<Sequence> MakeSequence(std::string id, std::vector<int32_t> prompt,
                                         int32_t max_tokens) {
    EXPECT_TRUE(queue_.Enter(0).ok());
    return testing::MakeLoopSequence(*loop_, std::move(id), std::move(prompt), max_tokens);
  }

  std::shared_ptr<TokenStream> Add(std::unique_ptr<Sequence> sequence) {
    std::shared_ptr<TokenStream> stream = sequence->stream;
    loop_->Add(std::move(sequence));
    return stream;
  }
  std::shared_ptr<TokenStream> Add(std::string id, std::vector<int32_t> prompt,
                                   int32_t max_tokens) {
    return Add(MakeSequence(std::move(id), std::move(prompt), max_tokens));
  }

  struct Read {
    int accepted = 0;
    std::vector<int32_t> tokens;
    std::string text;
    std::vector<TokenLogprobs> logprobs;
    bool finished = false;
    FinishedEvent end;
    absl::Status status;
  };
  // Reads a stream to its end.
  static Read ReadAll(TokenStream& stream) {
    Read read;
    while (true) {
      const StreamEvent event = *stream.Next();
      if (std::holds_alternative<AcceptedEvent>(event)) ++read.accepted;
      if (const auto* chunk = std::get_if<ChunkEvent>(&event)) {
        read.tokens.insert(read.tokens.end(), chunk->token_ids.begin(), chunk->token_ids.end());
        read.text += chunk->text;
        read.logprobs.insert(read.logprobs.end(), chunk->logprobs.begin(), chunk->logprobs.end());
      }
      if (const auto* end = std::get_if<FinishedEvent>(&event)) {
        read.finished = true;
        read.end = *end;
      }
      if (const auto* status = std::get_if<absl::Status>(&event)) read.status = *status;
      if (IsLast(event)) return read;
    }
  }

  static std::vector<int32_t> Expected(const std::vector<int32_t>& prompt, int32_t count) {
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < count; ++i) {
      tokens.push_back(
          testing::FakeBatchRunner::TokenAfter(prompt, static_cast<size_t>(i), kVocabulary));
    }
    return tokens;
  }

  const RequestTokenizer tokenizer_ =
      *RequestTokenizer::Create(testing::SourceDir() + "/deploy/models/demo_llama", 1 << 20);
  RequestQueue queue_{RequestQueue::Limits{}};
  CountingMetrics metrics_;
  std::unique_ptr<EngineLoop> loop_;
};

}  // namespace windowkv

#endif  // WINDOWKV_TESTS_ENGINE_RUNTIME_LOOP_TEST_H_
