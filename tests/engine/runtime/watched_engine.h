#ifndef WINDOWKV_TESTS_ENGINE_RUNTIME_WATCHED_ENGINE_H_
#define WINDOWKV_TESTS_ENGINE_RUNTIME_WATCHED_ENGINE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/runtime/engine.h"
#include "tests/testing/golden_file.h"

// The demo model's engine, and what it holds while it serves requests of every policy.

namespace windowkv::testing {

inline constexpr CachePolicy kPolicies[] = {CachePolicy::kFull,         CachePolicy::kWindowKv,
                                            CachePolicy::kStreamingLlm, CachePolicy::kSnapKv,
                                            CachePolicy::kPyramidKv,    CachePolicy::kH2o};
inline constexpr int64_t kLargePool = int64_t{64} << 20;

// What the engine holds and has set aside at the moments that tell.
class HeldMetrics final : public EngineMetrics {
 public:
  struct Seen {
    int64_t held_after_prompt = 0;  // bytes, by the newest prompt read to its end
    int64_t free_after_prompt = 0;  // blocks, then
    int64_t held = 0;               // bytes, now
    int finished = 0;
    int failed = 0;
    int32_t most_decoded = 0;  // sequences in one decode step
    int32_t most_running = 0;
  };

  // Whose load to ask; null: nobody's.
  void Watch(const Engine* engine) {
    std::lock_guard<std::mutex> lock(mu_);
    engine_ = engine;
  }
  Seen seen() const {
    std::lock_guard<std::mutex> lock(mu_);
    return seen_;
  }

  void OnRequestFinished(const RequestEnd& end) override {
    std::lock_guard<std::mutex> lock(mu_);
    ++seen_.finished;
  }
  void OnRequestFailed(absl::StatusCode code) override {
    std::lock_guard<std::mutex> lock(mu_);
    ++seen_.failed;
  }
  // The prompt's cache is complete and nothing is decoded yet; the next state tells what it holds.
  void OnFirstToken(absl::Duration since_arrival) override {
    std::lock_guard<std::mutex> lock(mu_);
    if (engine_ != nullptr) seen_.free_after_prompt = engine_->load().free_blocks;
    prompt_read_ = true;
  }
  void OnNextToken(absl::Duration since_previous) override {}
  void OnStep(int32_t decoded, int64_t prefill_token_layers, absl::Duration duration) override {
    std::lock_guard<std::mutex> lock(mu_);
    seen_.most_decoded = std::max(seen_.most_decoded, decoded);
  }
  void OnState(const State& state) override {
    std::lock_guard<std::mutex> lock(mu_);
    seen_.held = state.held_bytes;
    seen_.most_running = std::max(seen_.most_running, state.running);
    if (prompt_read_) seen_.held_after_prompt = state.held_bytes;
    prompt_read_ = false;
  }

 private:
  mutable std::mutex mu_;
  const Engine* engine_ = nullptr;
  bool prompt_read_ = false;
  Seen seen_;
};

// What came of one request.
struct Outcome {
  std::string text;
  std::vector<int32_t> tokens;
  int events = 0;
  std::optional<AcceptedEvent> accepted;
  std::optional<FinishedEvent> finished;
  absl::Status status;
};

// Where a reader of a stream gives up.
enum class CancelAfter { kNothing, kAccepted, kProgress, kChunks };

// Reads to the end; on the way cancels after the named event, the n-th of its kind if a chunk.
inline Outcome Collect(TokenStream& stream, CancelAfter after = CancelAfter::kNothing,
                       int chunks = 0) {
  Outcome outcome;
  while (true) {
    std::optional<StreamEvent> event = stream.Next(absl::Seconds(120));
    if (!event) {
      ADD_FAILURE() << "no event for two minutes";
      return outcome;
    }
    ++outcome.events;
    if (const auto* accepted = std::get_if<AcceptedEvent>(&*event)) {
      outcome.accepted = *accepted;
      if (after == CancelAfter::kAccepted) stream.Cancel();
    } else if (std::holds_alternative<ProgressEvent>(*event)) {
      if (after == CancelAfter::kProgress) stream.Cancel();
    } else if (const auto* chunk = std::get_if<ChunkEvent>(&*event)) {
      outcome.text += chunk->text;
      outcome.tokens.insert(outcome.tokens.end(), chunk->token_ids.begin(), chunk->token_ids.end());
      if (after == CancelAfter::kChunks && --chunks == 0) stream.Cancel();
    } else if (const auto* finished = std::get_if<FinishedEvent>(&*event)) {
      outcome.finished = *finished;
      return outcome;
    } else {
      outcome.status = std::get<absl::Status>(*event);
      return outcome;
    }
  }
}

class WatchedEngineTest : public ::testing::Test {
 protected:
  ~WatchedEngineTest() override { metrics_.Watch(nullptr); }

  void Start(int64_t pool_bytes) {
    EngineConfig config;
    config.model_dir = testing::SourceDir() + "/deploy/models/demo_llama";
    config.dtype = ComputeDtype::kFloat32;
    config.kv_pool_bytes = pool_bytes;
    absl::StatusOr<std::unique_ptr<Engine>> engine = CreateEngine(config, &metrics_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    metrics_.Watch(engine_.get());
  }

  std::shared_ptr<TokenStream> Submit(const GenerationRequest& request) {
    auto stream = engine_->Submit(request);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *stream;
  }
  Outcome Run(const GenerationRequest& request) { return Collect(*Submit(request)); }

  static GenerationRequest Chat(const std::string& text, CachePolicy policy, int32_t max_tokens) {
    GenerationRequest request;
    request.prompt = PromptChat{{"user", text}};
    request.sampling.max_tokens = max_tokens;
    request.cache.policy = policy;
    return request;
  }
  // With a mean of `budget` tokens per layer, which FULL does not know.
  static GenerationRequest Chat(const std::string& text, CachePolicy policy, int32_t max_tokens,
                                int32_t budget) {
    GenerationRequest request = Chat(text, policy, max_tokens);
    if (policy != CachePolicy::kFull) request.cache.budget = BudgetTokens{budget};
    return request;
  }

  // A prompt of token ids, all alike.
  static GenerationRequest Ids(int32_t tokens, CachePolicy policy, int32_t max_tokens,
                               int32_t budget) {
    GenerationRequest request = Chat("", policy, max_tokens, budget);
    request.prompt = PromptTokens(static_cast<size_t>(tokens), 100);
    request.sampling.ignore_eos = true;
    return request;
  }

  static std::string ExampleDocument() {
    std::ifstream file(testing::GoldenPath("example_document.txt"));
    return std::string((std::istreambuf_iterator<char>(file)), {});
  }

  int64_t FreeBlocks() const { return engine_->load().free_blocks; }
  int64_t block_bytes() const { return engine_->model_info().block_bytes; }
  int32_t num_layers() const { return engine_->model_info().num_layers; }

  HeldMetrics metrics_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_ENGINE_RUNTIME_WATCHED_ENGINE_H_
