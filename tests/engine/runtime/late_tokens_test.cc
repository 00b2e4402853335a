#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/monotonic_clock.h"
#include "tests/engine/runtime/loop_test.h"

// Steps that are started before the tokens of the one before are read: what requests get must not
// show it.

namespace windowkv {
namespace {

using testing::FakeBatchRunner;

class LateTokensTest : public LoopTest {
 protected:
  static FakeBatchRunner::Options Ahead() {
    FakeBatchRunner::Options options;
    options.computes_ahead = true;
    return options;
  }

  // Calls `then` once, on the engine thread, when the request's step is started that takes in its
  // `decoded`th token.
  static std::function<absl::Status(const std::vector<Sequence*>&)> When(
      std::string id, size_t decoded, std::function<void(Sequence&)> then) {
    return [=](const std::vector<Sequence*>& batch) {
      for (Sequence* sequence : batch) {
        if (sequence->request_id == id && sequence->decoded == decoded) then(*sequence);
      }
      return absl::OkStatus();
    };
  }

  // Requests of many kinds at once, by name.
  std::map<std::string, Read> ReadMix(bool computes_ahead) {
    FakeBatchRunner::Options options;
    options.computes_ahead = computes_ahead;
    options.follows_what_it_is_fed = true;
    options.vocab_size = 300;
    options.geometry.num_blocks = 1024;
    Start(options);
    std::map<std::string, SamplingParams> params;
    params["greedy"] = {};
    params["of one token"].max_tokens = 1;
    params["of two tokens"].max_tokens = 2;
    for (uint64_t seed : {3, 4}) {
      SamplingParams& drawn = params["drawn with seed " + std::to_string(seed)];
      drawn.temperature = 1.5f;
      drawn.top_p = 0.9f;
      drawn.seed = seed;
    }
    SamplingParams& ended = params["ended by a token"] = params["drawn with seed 3"];
    for (int32_t id = 0; id < 300; id += 20) ended.stop_token_ids.push_back(id);
    params["not ended before min_tokens"] = ended;
    params["not ended before min_tokens"].min_tokens = 30;
    params["stopped"] = params["drawn with seed 4"];
    params["stopped"].stop = {"e", "a", "1"};
    params["penalised"].repetition_penalty = 1.4f;
    params["penalised"].presence_penalty = 0.3f;
    params["penalised"].frequency_penalty = 0.2f;
    params["biased"].logit_bias = {{7, 3.0f}, {8, -2.0f}};
    params["with log-probabilities"] = params["drawn with seed 4"];
    params["with log-probabilities"].logprobs = 3;
    std::map<std::string, std::shared_ptr<TokenStream>> streams;
    int32_t prompt_tokens = 1;
    for (auto& [name, sampling] : params) {
      auto sequence =
          MakeSequence(name, std::vector<int32_t>(static_cast<size_t>(prompt_tokens), 5),
                       std::min(sampling.max_tokens, 60));
      sampling.max_tokens = sequence->sampling.max_tokens;
      sampling.ignore_eos = true;
      if (!sampling.seed) sampling.seed = 1;
      sequence->sampling = sampling;
      streams[name] = Add(std::move(sequence));
      prompt_tokens += 9;  // some are read in several slices
    }
    std::map<std::string, Read> reads;
    for (const auto& [name, stream] : streams) reads[name] = ReadAll(*stream);
    EXPECT_EQ(loop_->available_blocks(), 1024);
    return reads;
  }

  // Counts the steps of each request.
  static auto Counting(std::map<std::string, int>& steps) {
    return [&steps](const std::vector<Sequence*>& batch) {
      for (const Sequence* sequence : batch) ++steps[sequence->request_id];
      return absl::OkStatus();
    };
  }
};

TEST_F(LateTokensTest, RequestsOfEveryKindGetWhatTheyGetWhenNothingIsStartedAhead) {
  std::map<std::string, Read> expected = ReadMix(/*computes_ahead=*/false);
  std::map<std::string, Read> actual = ReadMix(/*computes_ahead=*/true);
  for (const auto& [name, read] : actual) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(read.finished) << read.status;
    EXPECT_EQ(read.tokens, expected[name].tokens);
    EXPECT_EQ(read.text, expected[name].text);
    EXPECT_EQ(read.end.reason, expected[name].end.reason);
    EXPECT_EQ(read.end.matched_stop, expected[name].end.matched_stop);
    EXPECT_EQ(read.end.usage.completion_tokens, static_cast<int32_t>(read.tokens.size()));
    ASSERT_EQ(read.logprobs.size(), expected[name].logprobs.size());
    for (size_t i = 0; i < read.logprobs.size(); ++i) {
      EXPECT_EQ(read.logprobs[i].chosen.logprob, expected[name].logprobs[i].chosen.logprob);
      EXPECT_EQ(read.logprobs[i].top.size(), 3u);
    }
  }
  // Each kind was one.
  EXPECT_EQ(actual["of two tokens"].tokens.size(), 2u);
  EXPECT_EQ(actual["ended by a token"].end.reason, FinishReason::kStop);
  EXPECT_LT(actual["ended by a token"].tokens.size(), 30u);
  EXPECT_GE(actual["not ended before min_tokens"].tokens.size(), 30u);
  EXPECT_NE(actual["stopped"].end.matched_stop, "");
  EXPECT_NE(actual["drawn with seed 3"].tokens, actual["drawn with seed 4"].tokens);
  EXPECT_EQ(actual["with log-probabilities"].logprobs.size(), 60u);
}

TEST_F(LateTokensTest, StepsAreStartedBeforeTheTokensThatTheyTakeInAreRead) {
  FakeBatchRunner::Options options = Ahead();
  int ahead = 0;
  int steps = 0;
  options.on_decode = [&](const std::vector<Sequence*>& batch) {
    ++steps;
    if (batch[0]->next_token_unread()) ++ahead;
    return absl::OkStatus();
  };
  Start(options);
  EXPECT_EQ(ReadAll(*Add("a", {1, 2}, 10)).tokens, Expected({1, 2}, 10));
  EXPECT_EQ(steps, 9);
  EXPECT_EQ(ahead, 8);  // all but the first, whose token came with the prompt
}

TEST_F(LateTokensTest, AWaitingRequestThatMayTakeNobodysPlaceHoldsNoStepUp) {
  FakeBatchRunner::Options options = Ahead();
  std::promise<void> added;
  int ahead = 0;
  options.on_decode = [&, both_added =
                              added.get_future().share()](const std::vector<Sequence*>& batch) {
    both_added.wait();
    if (batch[0]->request_id == "a" && batch[0]->next_token_unread()) ++ahead;
    return absl::OkStatus();
  };
  EngineLoop::Config config;
  config.scheduler.max_running = 1;
  config.scheduler.max_preemptions = 1;
  Start(options, config);
  const auto a = Add("a", {1, 2}, 10);
  const auto waits = Add("waits", {4}, 10);
  added.set_value();
  EXPECT_EQ(ReadAll(*a).tokens, Expected({1, 2}, 10));
  EXPECT_EQ(ReadAll(*waits).tokens, Expected({4}, 10));
  EXPECT_EQ(ahead, 8);
}

TEST_F(LateTokensTest, APenalisedRequestTakesInOnlyTokensThatHaveBeenRead) {
  FakeBatchRunner::Options options = Ahead();
  int ahead = 0;
  options.on_decode = [&](const std::vector<Sequence*>& batch) {
    for (const Sequence* sequence : batch) ahead += sequence->next_token_unread() ? 1 : 0;
    return absl::OkStatus();
  };
  Start(options);
  auto sequence = MakeSequence("penalised", {1, 2}, 10);
  sequence->sampling.presence_penalty = 0.01f;
  EXPECT_EQ(ReadAll(*Add(std::move(sequence))).tokens.size(), 10u);
  EXPECT_EQ(ahead, 0);
}

TEST_F(LateTokensTest, NoStepIsStartedForATokenPastMaxTokens) {
  FakeBatchRunner::Options options = Ahead();
  std::map<std::string, int> steps;
  options.on_decode = Counting(steps);
  Start(options);
  std::vector<std::shared_ptr<TokenStream>> streams;
  for (const int32_t tokens : {1, 2, 3, 9, 9, 20}) {
    streams.push_back(Add(std::to_string(streams.size()), {tokens}, tokens));
  }
  for (const auto& stream : streams) EXPECT_TRUE(ReadAll(*stream).finished);
  EXPECT_EQ(steps, (std::map<std::string, int>{{"1", 1}, {"2", 2}, {"3", 8}, {"4", 8}, {"5", 19}}));
  EXPECT_EQ(loop_->available_blocks(), 64);
}

TEST_F(LateTokensTest, ATokenThatEndsARequestIsItsLastThoughAnotherStepWasStarted) {
  FakeBatchRunner::Options options = Ahead();
  std::map<std::string, int> steps;
  options.on_decode = Counting(steps);
  Start(options);
  auto sequence = MakeSequence("ends", {1, 2}, 30);
  sequence->sampling.stop_token_ids = {Expected({1, 2}, 30)[5]};
  const auto ends = Add(std::move(sequence));
  const auto other = Add("other", {4}, 30);
  const Read read = ReadAll(*ends);
  EXPECT_EQ(read.tokens, Expected({1, 2}, 6));
  EXPECT_EQ(read.end.usage.completion_tokens, 6);
  EXPECT_EQ(ReadAll(*other).tokens, Expected({4}, 30));
  EXPECT_EQ(steps["ends"], 6);
  EXPECT_EQ(loop_->available_blocks(), 64);
}

TEST_F(LateTokensTest, ARequestThatIsCancelledWhileATokenIsUnreadEndsWithoutIt) {
  FakeBatchRunner::Options options = Ahead();
  options.on_decode = When("a", 5, [](Sequence& sequence) { sequence.stream->Cancel(); });
  Start(options);
  const auto a = Add("a", {1, 2}, 30);
  const auto other = Add("other", {4}, 30);
  const Read read = ReadAll(*a);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(read.tokens, Expected({1, 2}, 6));
  EXPECT_EQ(ReadAll(*other).tokens, Expected({4}, 30));
  EXPECT_EQ(loop_->available_blocks(), 64);
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(10)));
}

TEST_F(LateTokensTest, ADeadlineThatPassesWhileATokenIsUnreadEndsTheRequestWithoutIt) {
  FakeBatchRunner::Options options = Ahead();
  options.on_decode = When("a", 5, [](Sequence& sequence) { sequence.deadline = MonotonicNow(); });
  Start(options);
  const auto a = Add("a", {1, 2}, 30);
  const auto other = Add("other", {4}, 30);
  const Read read = ReadAll(*a);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(read.tokens, Expected({1, 2}, 6));
  EXPECT_EQ(ReadAll(*other).tokens, Expected({4}, 30));
  EXPECT_EQ(loop_->available_blocks(), 64);
}

TEST_F(LateTokensTest, AStepThatFailsWhileTokensAreUnreadIsRepeatedWithThem) {
  FakeBatchRunner::Options options = Ahead();
  std::promise<void> added;
  int unread = 0;
  options.on_decode = [&, both_added = added.get_future().share(),
                       fails = true](const std::vector<Sequence*>& batch) mutable {
    both_added.wait();
    if (batch.size() < 2 || batch[0]->decoded < 4 || !std::exchange(fails, false)) {
      return absl::OkStatus();
    }
    for (const Sequence* sequence : batch) unread += sequence->next_token_unread() ? 1 : 0;
    return absl::InternalError("a kernel threw");
  };
  Start(options);
  const auto a = Add("a", {1, 2}, 60);
  const auto b = Add("b", {4}, 60);
  added.set_value();
  EXPECT_EQ(ReadAll(*a).tokens, Expected({1, 2}, 60));
  EXPECT_EQ(ReadAll(*b).tokens, Expected({4}, 60));
  EXPECT_GE(unread, 1);
  EXPECT_EQ(metrics_.internal, 0);
}

TEST_F(LateTokensTest, TokensDoNotWaitBehindAPromptsSlices) {
  std::promise<void> added;
  FakeBatchRunner::Options options = Ahead();
  int steps = 0;
  int slices_behind_a_step = 0;
  int tokens_that_waited = 0;
  options.on_decode = [&, long_added =
                              added.get_future().share()](const std::vector<Sequence*>& batch) {
    if (steps == 3) long_added.wait();
    if (batch[0]->request_id == "a") ++steps;
    return absl::OkStatus();
  };
  options.on_prefill = [&](const PrefillWork& work) {
    if (work.sequence->request_id == "long" && steps > 0) {
      ++slices_behind_a_step;
      tokens_that_waited += 1 + steps - metrics_.tokens;
    }
    return absl::OkStatus();
  };
  Start(options);
  const auto a = Add("a", {1, 2}, 100);
  const auto late = Add("long", std::vector<int32_t>(160, 3), 5);
  added.set_value();
  EXPECT_EQ(ReadAll(*a).tokens, Expected({1, 2}, 100));
  EXPECT_TRUE(ReadAll(*late).finished);
  EXPECT_GE(slices_behind_a_step, 1);
  EXPECT_EQ(tokens_that_waited, 0);
}

TEST_F(LateTokensTest, TheLastTokenOfARequestThatWaitsForItsReaderMakesRoomForTheNext) {
  FakeBatchRunner::Options options = Ahead();
  options.geometry.num_blocks = 4096;
  Start(options);
  // As many tokens as are read while nobody takes them.
  const auto probe = Add("probe", {1}, 8000);
  while (!probe->congested() || loop_->heartbeat_age() > absl::ZeroDuration()) {
    std::this_thread::yield();
  }
  const int32_t tokens = metrics_.tokens;
  probe->Cancel();
  EXPECT_TRUE(queue_.WaitUntilIdle(absl::Seconds(10)));
  const int64_t blocks = loop_->Plan(CacheConfig{}, 1, tokens)->blocks;
  options.geometry.num_blocks = blocks;
  std::promise<void> added;
  options.on_decode = [both_added = added.get_future().share()](const std::vector<Sequence*>&) {
    both_added.wait();
    return absl::OkStatus();
  };
  Start(options);
  const auto unread = Add("unread", {1}, tokens);
  const auto next = Add("next", {2}, 3);
  added.set_value();
  EXPECT_EQ(ReadAll(*next).tokens, Expected({2}, 3));
  EXPECT_EQ(ReadAll(*unread).tokens, Expected({1}, tokens));
}

}  // namespace
}  // namespace windowkv
