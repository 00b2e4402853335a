#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/cache_policy/policy.h"
#include "tests/engine/cache_policy/random_prompt.h"
#include "tests/engine/runtime/watched_engine.h"

// How requests of every cache policy are let in, and that they give back what they took.

namespace windowkv {
namespace {

using testing::CancelAfter;
using testing::Collect;
using testing::DrawOptions;
using testing::kPolicies;
using testing::Outcome;
using testing::Uniform;

using AdmissionTest = testing::WatchedEngineTest;

TEST_F(AdmissionTest, ARequestThatCanNeverFitIsRefusedAtOnceWithBothNumbers) {
  Start(int64_t{1} << 20);
  const int64_t free = FreeBlocks();
  // Holds blocks meanwhile: the refusals wait for nothing.
  const auto running = Submit(Ids(20, CachePolicy::kFull, 80, 0));
  ASSERT_TRUE(std::holds_alternative<AcceptedEvent>(*running->Next()));
  for (CachePolicy policy : kPolicies) {
    SCOPED_TRACE(PolicyOf(policy).name());
    constexpr int32_t kMaxTokens = 1000;
    const Outcome refused = Run(Ids(100, policy, kMaxTokens, 64));
    EXPECT_EQ(refused.events, 1);
    EXPECT_EQ(refused.status.code(), absl::StatusCode::kOutOfRange) << refused.status;
    const int32_t kept = policy == CachePolicy::kFull ? 100 : 64;
    const int32_t block_size = engine_->model_info().block_size;
    const int64_t needed =
        int64_t{num_layers()} * ((kept + kMaxTokens + block_size - 1) / block_size) * block_bytes();
    if (!PolicyOf(policy).options().contains(CacheOption::kBeta)) {  // layers are alike
      EXPECT_NE(refused.status.message().find(absl::StrCat("needs ", needed, " bytes")),
                absl::string_view::npos)
          << refused.status;
    }
    EXPECT_NE(refused.status.message().find(
                  absl::StrCat("the whole pool has ", engine_->model_info().kv_pool_bytes)),
              absl::string_view::npos)
        << refused.status;
  }
  running->Cancel();
  Collect(*running);
  EXPECT_EQ(FreeBlocks(), free);
}

TEST_F(AdmissionTest, ARequestThatFitsLaterWaitsAndIsServed) {
  Start(int64_t{1} << 20);  // 8 blocks a layer
  const int64_t free = FreeBlocks();
  std::vector<std::shared_ptr<TokenStream>> streams;
  // Five blocks a layer each, so that no two fit together.
  for (CachePolicy policy : kPolicies) streams.push_back(Submit(Ids(48, policy, 32, 48)));
  for (auto& stream : streams) {
    const Outcome outcome = Collect(*stream);
    ASSERT_TRUE(outcome.finished.has_value()) << outcome.status;
    EXPECT_EQ(outcome.tokens.size(), 32u);
  }
  EXPECT_EQ(metrics_.seen().most_running, 1);
  EXPECT_EQ(FreeBlocks(), free);
}

// Requests of all policies drawn at random, each with a fate of its own.
class RandomRequests {
 public:
  enum Fate {
    kFinishes,
    kCancelledAtOnce,
    kCancelledWhenAccepted,
    kCancelledWhileRead,
    kCancelledWhileDecoding,
    kBudgetTooSmall,
    kPromptTooLong,
    kLargerThanThePool,
    kLate,
    kNumFates,
  };
  struct Drawn {
    Fate fate;
    GenerationRequest request;
    int chunks = 0;  // after which it is cancelled
  };

  RandomRequests(uint32_t seed, int32_t num_layers) : random_(seed), num_layers_(num_layers) {}

  Drawn Draw() {
    const CachePolicy policy = kPolicies[random_() % std::size(kPolicies)];
    const Fate fate = random_() % 3 == 0 ? kFinishes : static_cast<Fate>(random_() % kNumFates);
    Drawn drawn{fate, {}, Uniform(random_, 1, 6)};
    GenerationRequest& request = drawn.request;
    request.cache = DrawOptions(random_, policy, BudgetAccounting::kTotal, num_layers_);
    request.sampling.max_tokens = Uniform(random_, 1, 12);
    request.sampling.ignore_eos = random_() % 2 == 0;
    request.echo_kept_ranges = random_() % 2 == 0;
    request.prompt = Tokens(Uniform(random_, 1, 80));
    switch (drawn.fate) {
      case kCancelledWhileRead:
        if (random_() % 4 == 0) request.prompt = Tokens(400);  // more than one step's work
        break;
      case kBudgetTooSmall:
        request.cache = {};
        request.cache.policy = CachePolicy::kWindowKv;
        request.cache.budget = BudgetTokens{Uniform(random_, 1, 20)};
        request.prompt = Tokens(100);
        break;
      case kPromptTooLong:
        request.prompt = Tokens(8192);
        break;
      case kLargerThanThePool:
        request.sampling.max_tokens = 8000;
        break;
      case kLate:
        request.deadline = absl::InfinitePast();
        break;
      default:
        break;
    }
    return drawn;
  }

 private:
  PromptTokens Tokens(int32_t count) {
    PromptTokens tokens(static_cast<size_t>(count));
    for (int32_t& token : tokens) token = Uniform(random_, 10, 4000);
    return tokens;
  }

  std::mt19937 random_;
  int32_t num_layers_;
};

Outcome Follow(const RandomRequests::Drawn& drawn, TokenStream& stream) {
  switch (drawn.fate) {
    case RandomRequests::kCancelledAtOnce:
      stream.Cancel();
      return Collect(stream);
    case RandomRequests::kCancelledWhenAccepted:
      return Collect(stream, CancelAfter::kAccepted);
    case RandomRequests::kCancelledWhileRead:
      return Collect(stream, CancelAfter::kProgress);
    case RandomRequests::kCancelledWhileDecoding:
      return Collect(stream, CancelAfter::kChunks, drawn.chunks);
    default:
      return Collect(stream);
  }
}

void ExpectFate(const RandomRequests::Drawn& drawn, const Outcome& outcome) {
  const absl::StatusCode code = outcome.status.code();
  switch (drawn.fate) {
    case RandomRequests::kBudgetTooSmall:
      EXPECT_EQ(code, absl::StatusCode::kInvalidArgument) << outcome.status;
      break;
    case RandomRequests::kPromptTooLong:
      EXPECT_EQ(code, absl::StatusCode::kOutOfRange) << outcome.status;
      break;
    case RandomRequests::kLargerThanThePool:
      // An option may be refused before the size is.
      EXPECT_TRUE(code == absl::StatusCode::kOutOfRange ||
                  code == absl::StatusCode::kInvalidArgument)
          << outcome.status;
      break;
    case RandomRequests::kFinishes:
      EXPECT_TRUE(outcome.finished.has_value() || code == absl::StatusCode::kInvalidArgument)
          << outcome.status;
      break;
    default:
      EXPECT_TRUE(outcome.finished.has_value() || !outcome.status.ok());
  }
}

TEST_F(AdmissionTest, HundredsOfRandomRequestsLeaveThePoolAsTheyFoundIt) {
  constexpr int kRequests = 360;
  constexpr int kAtOnce = 12;
  Start(int64_t{4} << 20);  // 32 blocks a layer: some wait for others
  const int64_t free = FreeBlocks();
  RandomRequests requests(/*seed=*/23, num_layers());
  int finished = 0;
  int failed = 0;
  for (int i = 0; i < kRequests && !HasFailure(); i += kAtOnce) {
    std::vector<RandomRequests::Drawn> drawn;
    std::vector<std::shared_ptr<TokenStream>> streams;
    for (int j = 0; j < kAtOnce; ++j) {
      drawn.push_back(requests.Draw());
      absl::StatusOr<std::shared_ptr<TokenStream>> stream = engine_->Submit(drawn.back().request);
      streams.push_back(stream.ok() ? *stream : nullptr);
      if (stream.ok()) continue;
      EXPECT_EQ(stream.status().code(), absl::StatusCode::kInvalidArgument) << stream.status();
      ++failed;
    }
    for (int j = 0; j < kAtOnce; ++j) {
      SCOPED_TRACE(absl::StrCat("request ", i + j, ", fate ", drawn[j].fate));
      if (streams[j] == nullptr) continue;
      const Outcome outcome = Follow(drawn[j], *streams[j]);
      ExpectFate(drawn[j], outcome);
      ++(outcome.finished ? finished : failed);
    }
    EXPECT_EQ(FreeBlocks(), free);
  }
  EXPECT_EQ(finished + failed, kRequests);
  // Whatever the timing of the cancellations.
  EXPECT_GT(finished, kRequests / 10);
  EXPECT_GT(failed, kRequests / 10);
  EXPECT_EQ(metrics_.seen().finished, finished);
  EXPECT_EQ(metrics_.seen().failed, failed);
  EXPECT_EQ(metrics_.seen().held, 0);
  EXPECT_EQ(engine_->load().running, 0);
  EXPECT_EQ(engine_->load().waiting, 0);
}

}  // namespace
}  // namespace windowkv
