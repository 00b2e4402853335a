#include "engine/runtime/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/last_state_metrics.h"

namespace windowkv {
namespace {

// What came of one request.
struct Outcome {
  std::vector<std::string> order;  // names of the events
  std::string text;
  std::vector<int32_t> tokens;
  std::vector<TokenLogprobs> logprobs;
  AcceptedEvent accepted;
  FinishedEvent finished;
  absl::Status status;
};

Outcome Collect(TokenStream& stream) {
  Outcome outcome;
  while (true) {
    std::optional<StreamEvent> event = stream.Next(absl::Seconds(120));
    if (!event) {
      ADD_FAILURE() << "no event for two minutes";
      return outcome;
    }
    if (auto* accepted = std::get_if<AcceptedEvent>(&*event)) {
      outcome.order.push_back("accepted");
      outcome.accepted = *accepted;
    } else if (std::holds_alternative<ProgressEvent>(*event)) {
      outcome.order.push_back("progress");
    } else if (auto* chunk = std::get_if<ChunkEvent>(&*event)) {
      outcome.order.push_back("chunk");
      outcome.text += chunk->text;
      outcome.tokens.insert(outcome.tokens.end(), chunk->token_ids.begin(), chunk->token_ids.end());
      outcome.logprobs.insert(outcome.logprobs.end(), chunk->logprobs.begin(),
                              chunk->logprobs.end());
    } else if (auto* finished = std::get_if<FinishedEvent>(&*event)) {
      outcome.order.push_back("finished");
      outcome.finished = *finished;
      return outcome;
    } else {
      outcome.order.push_back("status");
      outcome.status = std::get<absl::Status>(*event);
      return outcome;
    }
  }
}

EngineConfig DemoConfig() {
  EngineConfig config;
  config.model_dir = testing::SourceDir() + "/deploy/models/demo_llama";
  config.dtype = ComputeDtype::kFloat32;
  config.kv_pool_bytes = int64_t{64} << 20;
  return config;
}

class EngineTest : public ::testing::Test {
 protected:
  void Start(const EngineConfig& config) {
    absl::StatusOr<std::unique_ptr<Engine>> engine = CreateEngine(config, &metrics_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  Outcome Run(GenerationRequest request) {
    auto stream = engine_->Submit(std::move(request));
    if (stream.ok()) return Collect(**stream);
    Outcome refused;
    refused.status = stream.status();
    return refused;
  }

  // A question about a short text, greedy.
  static GenerationRequest Question(const std::string& text =
                                        "The access code for the Bofad vault "
                                        "is 4711.\n\nWhat is the access code "
                                        "for the Bofad vault?") {
    GenerationRequest request;
    request.prompt = PromptChat{{"user", text}};
    request.sampling.max_tokens = 24;
    return request;
  }

  int64_t FreeBlocks() const { return engine_->load().free_blocks; }

  testing::LastStateMetrics metrics_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, AnswersAndReportsInOrder) {
  Start(DemoConfig());
  const Outcome outcome = Run(Question());
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.text, "4711");
  EXPECT_EQ(outcome.order.front(), "accepted");
  EXPECT_EQ(outcome.order.back(), "finished");
  EXPECT_EQ(outcome.finished.reason, FinishReason::kStop);
  EXPECT_EQ(outcome.finished.usage.completion_tokens, static_cast<int32_t>(outcome.tokens.size()));
  EXPECT_EQ(outcome.finished.usage.prompt_tokens, outcome.accepted.prompt_tokens);
  EXPECT_GT(outcome.finished.usage.time_to_first_token, absl::ZeroDuration());
}

TEST_F(EngineTest, AnswersTheExampleFromThreePercentOfTheCache) {
  Start(DemoConfig());
  std::ifstream file(testing::GoldenPath("example_document.txt"));
  const std::string document((std::istreambuf_iterator<char>(file)), {});
  const nlohmann::json question = testing::ReadJson(testing::GoldenPath("example_question.json"));
  GenerationRequest request = Question(document + "\n\n" + question["question"].get<std::string>());
  request.cache.policy = CachePolicy::kWindowKv;
  request.cache.budget = BudgetTokens{256};
  request.echo_kept_ranges = true;
  const Outcome outcome = Run(std::move(request));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.text, question["answer"].get<std::string>());
  const Receipt& receipt = outcome.finished.receipt;
  EXPECT_EQ(receipt.policy, CachePolicy::kWindowKv);
  EXPECT_LT(receipt.bytes_kept * 25, receipt.bytes_full);
  // Never more than the kept blocks and one layer's K and V.
  EXPECT_LT(receipt.bytes_prefill_peak,
            receipt.bytes_kept + receipt.bytes_full / engine_->model_info().num_layers + 1);
  int64_t kept = 0;
  for (const Receipt::Group& group : receipt.groups) {
    kept += int64_t{group.num_layers} * group.kept_tokens;
    EXPECT_EQ(group.kept.count(), group.kept_tokens);
  }
  EXPECT_LE(kept, int64_t{256} * engine_->model_info().num_layers);
}

TEST_F(EngineTest, ServesRequestsTogetherWithDifferentPoliciesAndFreesTheirBlocks) {
  Start(DemoConfig());
  const int64_t free = FreeBlocks();
  std::vector<std::shared_ptr<TokenStream>> streams;
  for (int i = 0; i < 12; ++i) {
    GenerationRequest request = Question();
    request.sampling.ignore_eos = true;
    request.sampling.max_tokens = 40;
    if (i % 2 == 1) {
      request.cache.policy = CachePolicy::kWindowKv;
      request.cache.budget = BudgetTokens{24 + i};
      request.cache.shared_layers = 1 + i % 8;
      request.cache.window_size = 1 + i % 3;
    }
    auto stream = engine_->Submit(std::move(request));
    ASSERT_TRUE(stream.ok()) << stream.status();
    streams.push_back(*stream);
  }
  std::vector<Outcome> outcomes;
  for (auto& stream : streams) outcomes.push_back(Collect(*stream));
  for (const Outcome& outcome : outcomes) {
    ASSERT_TRUE(outcome.status.ok()) << outcome.status;
    EXPECT_EQ(outcome.tokens.size(), 40u);
  }
  for (size_t i = 2; i < outcomes.size(); i += 2) {
    EXPECT_EQ(outcomes[i].tokens, outcomes[0].tokens);
  }
  EXPECT_GT(metrics_.most_decoded(), 1);
  EXPECT_EQ(FreeBlocks(), free);
  EXPECT_EQ(metrics_.state().held_bytes, 0);
}

TEST_F(EngineTest, TheSameSeedGivesTheSameTextWhateverRunsBesideIt) {
  for (ComputeDtype dtype : {ComputeDtype::kFloat32, ComputeDtype::kBfloat16}) {
    EngineConfig config = DemoConfig();
    config.dtype = dtype;
    Start(config);
    GenerationRequest request = Question();
    request.sampling.temperature = 1.5f;
    request.sampling.seed = 7;
    request.sampling.ignore_eos = true;
    const Outcome alone = Run(request);
    std::vector<std::shared_ptr<TokenStream>> others;
    for (int i = 0; i < 5; ++i) {
      GenerationRequest other = Question("Nobody was at the harbour. What is the colour?");
      other.sampling.temperature = 1;
      others.push_back(*engine_->Submit(std::move(other)));
    }
    const Outcome together = Run(request);
    EXPECT_EQ(together.tokens, alone.tokens);
    for (auto& other : others) EXPECT_TRUE(Collect(*other).status.ok());
    request.sampling.seed = 8;
    EXPECT_NE(Run(request).tokens, alone.tokens);
  }
}

TEST_F(EngineTest, CancellingFreesTheBlocks) {
  Start(DemoConfig());
  const int64_t free = FreeBlocks();
  GenerationRequest request = Question();
  request.sampling.ignore_eos = true;
  request.sampling.max_tokens = 4000;
  auto stream = *engine_->Submit(std::move(request));
  while (!std::holds_alternative<ChunkEvent>(*stream->Next())) {
  }
  EXPECT_LT(FreeBlocks(), free);
  stream->Cancel();
  EXPECT_EQ(Collect(*stream).status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(FreeBlocks(), free);
  EXPECT_EQ(metrics_.failed(), 1);
}

TEST_F(EngineTest, ADeadlineEndsTheRequest) {
  Start(DemoConfig());
  GenerationRequest request = Question();
  request.deadline = absl::InfinitePast();
  EXPECT_EQ(Run(std::move(request)).status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(EngineTest, WaitsForBlocksAndServesEverything) {
  EngineConfig config = DemoConfig();
  config.kv_pool_bytes = int64_t{2} << 20;  // 128 blocks of 16 KiB: two such requests at once
  Start(config);
  std::vector<std::shared_ptr<TokenStream>> streams;
  for (int i = 0; i < 6; ++i) {
    GenerationRequest request = Question();
    request.sampling.max_tokens = 60;
    streams.push_back(*engine_->Submit(std::move(request)));
  }
  for (auto& stream : streams) EXPECT_EQ(Collect(*stream).text, "4711");
}

TEST_F(EngineTest, DoesNotStartWithADefaultBudgetThatHoldsNoWindow) {
  EngineConfig config = DemoConfig();
  // Sink 4, observation 32 when the task is aggregation, one window of 8.
  config.cache_defaults.budget_tokens = 43;
  const absl::Status status = CreateEngine(config, &metrics_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("the server's default"), std::string::npos) << status;
  EXPECT_NE(status.message().find("at least 44"), std::string::npos) << status;
  config.cache_defaults.budget_tokens = 44;
  EXPECT_TRUE(CreateEngine(config, &metrics_).ok());
}

TEST_F(EngineTest, RefusesWhatCanNeverFit) {
  EngineConfig config = DemoConfig();
  config.kv_pool_bytes = int64_t{1} << 20;
  Start(config);
  GenerationRequest request = Question();
  request.sampling.max_tokens = 4000;
  const Outcome outcome = Run(std::move(request));
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(outcome.order, std::vector<std::string>{"status"});
}

TEST_F(EngineTest, PrioritiesBeyondTheirRangeAreRefused) {
  Start(DemoConfig());
  for (const int32_t priority : {-101, 101, INT32_MIN, INT32_MAX}) {
    GenerationRequest request = Question();
    request.priority = priority;
    const absl::Status status = engine_->Submit(std::move(request)).status();
    EXPECT_EQ(FieldOf(status), "priority");
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("must be in [-100, 100]"));
  }
}

TEST_F(EngineTest, AFullQueueIsRefusedWithARetryDelay) {
  EngineConfig config = DemoConfig();
  config.max_waiting = 1;
  config.max_running = 1;
  Start(config);
  std::vector<std::shared_ptr<TokenStream>> streams;
  absl::Status refused;
  for (int i = 0; i < 50 && refused.ok(); ++i) {
    GenerationRequest request = Question();
    request.sampling.ignore_eos = true;
    request.sampling.max_tokens = 2000;
    auto stream = engine_->Submit(std::move(request));
    if (stream.ok()) {
      streams.push_back(*stream);
    } else {
      refused = stream.status();
    }
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
  for (auto& stream : streams) stream->Cancel();
  for (auto& stream : streams) Collect(*stream);
}

TEST_F(EngineTest, DrainingLetsRunningRequestsEndAndRefusesNewOnes) {
  Start(DemoConfig());
  auto stream = *engine_->Submit(Question());
  engine_->Drain(absl::Seconds(60));
  EXPECT_EQ(Collect(*stream).text, "4711");
  EXPECT_EQ(Run(Question()).status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(engine_->load().accepting);
}

TEST_F(EngineTest, DrainingEndsWhatTakesTooLong) {
  Start(DemoConfig());
  GenerationRequest request = Question();
  request.sampling.ignore_eos = true;
  request.sampling.max_tokens = 8000;
  request.cache = {};
  auto stream = *engine_->Submit(std::move(request));
  engine_->Drain(absl::ZeroDuration());
  EXPECT_EQ(Collect(*stream).status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(EngineTest, StopsBeforeAStopStringThatCrossesTokens) {
  Start(DemoConfig());
  GenerationRequest request = Question();
  request.sampling.stop = {"71"};
  const Outcome outcome = Run(std::move(request));
  EXPECT_EQ(outcome.text, "4");
  EXPECT_EQ(outcome.finished.matched_stop, "71");
  EXPECT_EQ(outcome.finished.reason, FinishReason::kStop);
}

TEST_F(EngineTest, MaxTokensEndsWithLengthAndMinTokensHoldsTheEndBack) {
  Start(DemoConfig());
  GenerationRequest request = Question();
  request.sampling.max_tokens = 1;
  EXPECT_EQ(Run(std::move(request)).finished.reason, FinishReason::kLength);
  request = Question();
  request.sampling.min_tokens = 20;
  EXPECT_GE(Run(std::move(request)).tokens.size(), 20u);
}

TEST_F(EngineTest, ATextThatTheTokenizerLeavesNothingOfIsRefused) {
  const std::string dir = ::testing::TempDir() + "windowkv_engine_test_no_tokens";
  std::filesystem::remove_all(dir);
  std::filesystem::copy(testing::GoldenPath("llama/five_layers_tokenizer_bf16"), dir);
  nlohmann::json tokenizer = testing::ReadJson(dir + "/tokenizer.json");
  tokenizer["normalizer"] = {
      {"type", "Replace"}, {"pattern", {{"String", "\u00ad"}}}, {"content", ""}};
  std::ofstream(dir + "/tokenizer.json") << tokenizer;
  EngineConfig config = DemoConfig();
  config.model_dir = dir;
  Start(config);
  GenerationRequest request;
  request.prompt = PromptText("\u00ad");
  request.sampling.max_tokens = 3;
  const Outcome outcome = Run(request);
  EXPECT_EQ(FieldOf(outcome.status), "text") << outcome.status;
  request.prompt = PromptText("a\u00ad");
  EXPECT_TRUE(Run(request).status.ok());
}

TEST_F(EngineTest, LogprobsListTheChosenTokenAndTheMostLikelyOnes) {
  Start(DemoConfig());
  GenerationRequest request = Question();
  request.sampling.logprobs = 3;
  const Outcome outcome = Run(std::move(request));
  ASSERT_EQ(outcome.logprobs.size(), outcome.tokens.size());
  for (size_t i = 0; i < outcome.tokens.size(); ++i) {
    ASSERT_EQ(outcome.logprobs[i].top.size(), 3u);
    EXPECT_EQ(outcome.logprobs[i].chosen.token_id, outcome.tokens[i]);
    EXPECT_EQ(outcome.logprobs[i].top[0].token_id, outcome.tokens[i]);
    EXPECT_LE(outcome.logprobs[i].chosen.logprob, 0);
  }
}

TEST_F(EngineTest, APromptLongerThanTheContextIsOutOfRangeWithBothNumbers) {
  Start(DemoConfig());
  GenerationRequest request;
  request.prompt = PromptTokens(8192, 100);
  const absl::Status status = Run(std::move(request)).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_NE(status.message().find("8192 tokens"), absl::string_view::npos) << status;
}

TEST_F(EngineTest, BadOptionsNameTheField) {
  Start(DemoConfig());
  const auto field_of = [this](auto change) {
    GenerationRequest request = Question();
    change(request);
    const absl::Status status = Run(std::move(request)).status;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return FieldOf(status).value_or("");
  };
  EXPECT_EQ(field_of([](auto& r) { r.prompt = PromptTokens{}; }), "token_ids");
  EXPECT_EQ(field_of([](auto& r) { r.prompt = PromptTokens{1, 4096}; }), "token_ids.ids[1]");
  EXPECT_EQ(field_of([](auto& r) { r.prompt = PromptText{}; }), "text");
  EXPECT_EQ(field_of([](auto& r) {
              r.prompt = PromptChat{{"tool", "x"}};
            }),
            "chat.messages[0].role");
  EXPECT_EQ(field_of([](auto& r) { r.sampling.temperature = NAN; }), "sampling.temperature");
  EXPECT_EQ(field_of([](auto& r) { r.cache.window_size = 8; }), "cache.window_size");
  EXPECT_EQ(field_of([](auto& r) {
              r.cache.policy = CachePolicy::kWindowKv;
              r.cache.shared_layers = 9;
            }),
            "cache.shared_layers");
  EXPECT_EQ(field_of([](auto& r) {
              r.cache.policy = CachePolicy::kWindowKv;
              r.cache.budget = BudgetTokens{10};
            }),
            "cache.budget_tokens");
}

TEST_F(EngineTest, TokenizeGivesWhatGenerateReads) {
  Start(DemoConfig());
  const auto tokens = engine_->Tokenize(PromptChat{{"user", "Where is the red map?"}});
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  GenerationRequest request = Question("Where is the red map?");
  EXPECT_EQ(Run(std::move(request)).accepted.prompt_tokens, static_cast<int32_t>(tokens->size()));
}

TEST_F(EngineTest, ACheckpointWithoutAChatTemplateRefusesChatAndTakesText) {
  EngineConfig config = DemoConfig();
  config.model_dir = testing::GoldenPath("llama/five_layers_tokenizer_bf16");
  Start(config);
  EXPECT_EQ(Run(Question()).status.code(), absl::StatusCode::kFailedPrecondition);
  GenerationRequest request;
  request.prompt = PromptText("abc");
  request.sampling.max_tokens = 3;
  EXPECT_TRUE(Run(std::move(request)).status.ok());
}

TEST(CreateEngineTest, AMissingModelDirectoryIsNamed) {
  testing::LastStateMetrics metrics;
  EngineConfig config;
  config.model_dir = "/nonexistent/model";
  const auto engine = CreateEngine(config, &metrics);
  ASSERT_FALSE(engine.ok());
  EXPECT_NE(engine.status().message().find("/nonexistent/model"), absl::string_view::npos);
}

}  // namespace
}  // namespace windowkv
