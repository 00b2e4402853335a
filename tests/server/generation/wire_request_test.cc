#include "server/generation/wire_request.h"

#include <string>

#include "gtest/gtest.h"

namespace windowkv {
namespace {

absl::StatusOr<GenerationRequest> Convert(const v1::GenerateRequest& wire,
                                          const SamplingParams& defaults = {}) {
  return ToGenerationRequest(wire, "r1", defaults, absl::InfiniteFuture());
}

v1::GenerateRequest TextRequest() {
  v1::GenerateRequest wire;
  wire.set_text("a prompt");
  return wire;
}

TEST(WireRequestTest, AnEmptyRequestLeavesEverythingToTheDefaults) {
  SamplingParams defaults;
  defaults.temperature = 0.6f;
  defaults.top_p = 0.9f;
  defaults.stop = {"END"};
  const GenerationRequest request = *Convert(TextRequest(), defaults);
  EXPECT_EQ(std::get<PromptText>(request.prompt), "a prompt");
  EXPECT_EQ(request.request_id, "r1");
  EXPECT_EQ(request.sampling.temperature, 0.6f);
  EXPECT_EQ(request.sampling.top_p, 0.9f);
  EXPECT_EQ(request.sampling.stop, std::vector<std::string>{"END"});
  EXPECT_FALSE(request.sampling.seed.has_value());
  EXPECT_FALSE(request.sampling.logprobs.has_value());
  EXPECT_FALSE(request.cache.policy.has_value());
  EXPECT_TRUE(std::holds_alternative<std::monostate>(request.cache.budget));
  EXPECT_FALSE(request.cache.strategy.has_value());
  EXPECT_FALSE(request.task.has_value());
  EXPECT_EQ(request.deadline, absl::InfiniteFuture());
}

TEST(WireRequestTest, ReadsEverySamplingOption) {
  v1::GenerateRequest wire = TextRequest();
  v1::SamplingParams* sampling = wire.mutable_sampling();
  sampling->set_temperature(0);
  sampling->set_top_k(40);
  sampling->set_top_p(0.5);
  sampling->set_min_p(0.125);
  sampling->set_repetition_penalty(1.5);
  sampling->set_presence_penalty(-1);
  sampling->set_frequency_penalty(2);
  sampling->set_seed(7);
  sampling->add_stop("stop");
  sampling->add_stop_token_ids(3);
  sampling->set_max_tokens(10);
  sampling->set_min_tokens(2);
  sampling->set_logprobs(0);
  (*sampling->mutable_logit_bias())[5] = -100;
  sampling->set_ignore_eos(true);
  SamplingParams defaults;
  defaults.temperature = 0.6f;
  const SamplingParams read = Convert(wire, defaults)->sampling;
  EXPECT_EQ(read.temperature, 0);  // set to its zero, which is not the default
  EXPECT_EQ(read.top_k, 40);
  EXPECT_EQ(read.top_p, 0.5f);
  EXPECT_EQ(read.min_p, 0.125f);
  EXPECT_EQ(read.repetition_penalty, 1.5f);
  EXPECT_EQ(read.presence_penalty, -1);
  EXPECT_EQ(read.frequency_penalty, 2);
  EXPECT_EQ(read.seed, 7u);
  EXPECT_EQ(read.stop, std::vector<std::string>{"stop"});
  EXPECT_EQ(read.stop_token_ids, std::vector<int32_t>{3});
  EXPECT_EQ(read.max_tokens, 10);
  EXPECT_EQ(read.min_tokens, 2);
  EXPECT_EQ(read.logprobs, 0);
  EXPECT_EQ(read.logit_bias, (std::map<int32_t, float>{{5, -100.0f}}));
  EXPECT_TRUE(read.ignore_eos);
}

TEST(WireRequestTest, ADefaultMinimumGivesWayToTheClientsMaximum) {
  SamplingParams defaults;
  defaults.min_tokens = 5;
  v1::GenerateRequest wire = TextRequest();
  EXPECT_EQ(Convert(wire, defaults)->sampling.min_tokens, 5);
  wire.mutable_sampling()->set_max_tokens(2);
  EXPECT_EQ(Convert(wire, defaults)->sampling.min_tokens, 2);
}

TEST(WireRequestTest, ReadsEveryCacheOption) {
  v1::GenerateRequest wire = TextRequest();
  v1::CacheOptions* cache = wire.mutable_cache();
  cache->set_policy(v1::CACHE_POLICY_WINDOWKV);
  cache->set_budget_fraction(0.25);
  cache->set_window_size(16);
  cache->set_shared_layers(4);
  cache->set_observation_tokens(32);
  cache->set_beta(20);
  cache->set_strategy(v1::STRATEGY_TOP_HALF_MEAN);
  cache->set_task_mapping(v1::TASK_MAPPING_REFERENCE);
  cache->set_accounting(v1::BUDGET_ACCOUNTING_REVIEW_ONLY);
  cache->set_sink_tokens(0);
  cache->add_pinned()->mutable_tokens()->set_end(12);
  cache->add_pinned()->mutable_characters()->set_begin(3);
  cache->add_pinned()->set_message(1);
  cache->set_pin_system_prompt(true);
  wire.set_echo_kept_ranges(true);
  wire.set_priority(-3);
  const GenerationRequest request = *Convert(wire);
  EXPECT_EQ(request.priority, -3);
  EXPECT_EQ(request.cache.policy, CachePolicy::kWindowKv);
  EXPECT_EQ(std::get<BudgetFraction>(request.cache.budget).fraction, 0.25f);
  EXPECT_EQ(request.cache.window_size, 16);
  EXPECT_EQ(request.cache.shared_layers, 4);
  EXPECT_EQ(request.cache.observation_tokens, 32);
  EXPECT_EQ(request.cache.beta, 20);
  EXPECT_EQ(request.cache.strategy, Strategy::kTopHalfMean);
  EXPECT_EQ(request.cache.task_mapping, TaskMapping::kReference);
  EXPECT_EQ(request.cache.accounting, BudgetAccounting::kReviewOnly);
  EXPECT_EQ(request.cache.sink_tokens, 0);
  ASSERT_EQ(request.cache.pinned.size(), 3u);
  EXPECT_EQ(std::get<TokenRange>(request.cache.pinned[0]), (TokenRange{0, 12}));
  EXPECT_EQ(std::get<PinnedCharacters>(request.cache.pinned[1]).begin, 3);
  EXPECT_EQ(std::get<PinnedMessage>(request.cache.pinned[2]).index, 1);
  EXPECT_TRUE(request.cache.pin_system_prompt);
  EXPECT_TRUE(request.echo_kept_ranges);
}

TEST(WireRequestTest, AutoLeavesTheStrategyToTheTask) {
  v1::GenerateRequest wire = TextRequest();
  wire.mutable_cache()->set_strategy(v1::STRATEGY_AUTO);
  EXPECT_FALSE(Convert(wire)->cache.strategy.has_value());
}

TEST(WireRequestTest, ReadsEachKindOfBudget) {
  v1::GenerateRequest wire = TextRequest();
  wire.mutable_cache()->set_budget_tokens(256);
  EXPECT_EQ(std::get<BudgetTokens>(Convert(wire)->cache.budget).tokens, 256);
  wire.mutable_cache()->set_budget_bytes(int64_t{1} << 40);
  EXPECT_EQ(std::get<BudgetBytes>(Convert(wire)->cache.budget).bytes, int64_t{1} << 40);
}

TEST(WireRequestTest, ReadsChatAndTokens) {
  v1::GenerateRequest wire;
  auto* message = wire.mutable_chat()->add_messages();
  message->set_role("user");
  message->set_content("hello");
  const auto chat = std::get<PromptChat>(Convert(wire)->prompt);
  ASSERT_EQ(chat.size(), 1u);
  EXPECT_EQ(chat[0].role, "user");
  EXPECT_EQ(chat[0].content, "hello");
  wire.mutable_token_ids()->add_ids(9);
  EXPECT_EQ(std::get<PromptTokens>(Convert(wire)->prompt), PromptTokens{9});
}

TEST(WireRequestTest, AClientIsSureOfItsTask) {
  v1::GenerateRequest wire = TextRequest();
  wire.set_task(v1::TASK_AGGREGATION);
  const auto verdict = Convert(wire)->task;
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->task, Task::kAggregation);
  EXPECT_EQ(verdict->confidence, 1);
}

TEST(WireRequestTest, ARoutersVerdictIsTakenWhole) {
  v1::GenerateRequest wire = TextRequest();
  wire.mutable_task_verdict()->set_task(v1::TASK_LOCALIZATION);
  wire.mutable_task_verdict()->set_confidence(0.5);
  wire.mutable_task_verdict()->set_fallback_reason("classifier unreachable");
  const auto verdict = Convert(wire)->task;
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->task, Task::kLocalization);
  EXPECT_EQ(verdict->confidence, 0.5f);
  EXPECT_EQ(verdict->fallback_reason, "classifier unreachable");
}

TEST(WireRequestTest, TokenizeTakesTextOrChat) {
  v1::TokenizeRequest wire;
  wire.set_text("words");
  EXPECT_EQ(std::get<PromptText>(*ToPrompt(wire)), "words");
  wire.mutable_chat()->add_messages()->set_role("user");
  EXPECT_EQ(std::get<PromptChat>(*ToPrompt(wire)).size(), 1u);
}

}  // namespace
}  // namespace windowkv
