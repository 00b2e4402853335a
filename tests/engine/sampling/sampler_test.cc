#include "engine/sampling/sampler.h"

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/sampling/sample_tokens.h"

namespace windowkv {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

at::Tensor Row(const std::vector<float>& logits) {
  at::Tensor row = at::empty({1, static_cast<int64_t>(logits.size())}, at::kFloat);
  std::ranges::copy(logits, row.mutable_data_ptr<float>());
  return row;
}

absl::StatusOr<SampledToken> SampleOnce(Sampler& sampler, const std::vector<float>& logits) {
  at::Tensor row = Row(logits);
  return StartTokens({{0, &sampler}}, row).Take(0, sampler);
}

// The tokens of equal `logits`, each taken after the next one has been started, whose logits stand
// in the same place.
std::vector<SampledToken> SampleLate(Sampler& sampler, const std::vector<float>& logits,
                                     int count) {
  at::Tensor row = Row(logits);
  StartedTokens unread = StartTokens({{0, &sampler}}, row);
  std::vector<SampledToken> tokens;
  for (int i = 0; i < count; ++i) {
    row.copy_(Row(logits));
    StartedTokens next = StartTokens({{0, &sampler}}, row);
    row.fill_(std::numeric_limits<float>::quiet_NaN());
    tokens.push_back(*unread.Take(0, sampler));
    unread = std::move(next);
  }
  return tokens;
}

// How often each id comes up in `draws` draws from the same logits.
std::map<int32_t, int> Histogram(const SamplingParams& params, const std::vector<float>& logits,
                                 int draws) {
  Sampler sampler(params, {}, {});
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[SampleOnce(sampler, logits)->id];
  return counts;
}

std::set<int32_t> Ids(const std::map<int32_t, int>& counts) {
  std::set<int32_t> ids;
  for (const auto& [id, count] : counts) ids.insert(id);
  return ids;
}

SamplingParams Drawing(float temperature, uint64_t seed = 1) {
  SamplingParams params;
  params.temperature = temperature;
  params.seed = seed;
  return params;
}

TEST(SamplerTest, GreedyTakesTheHighestLogitAndTheLowestIdOnATie) {
  Sampler sampler({}, {}, {});
  EXPECT_EQ(SampleOnce(sampler, {0, 3, 1})->id, 1);
  EXPECT_EQ(SampleOnce(sampler, {2, 5, 5, 5})->id, 1);
  EXPECT_EQ(SampleOnce(sampler, {-kInfinity, -7, -kInfinity, -7})->id, 1);
  EXPECT_EQ(SampleOnce(sampler, {4})->id, 0);
}

TEST(SamplerTest, LogitsThatAreNotNumbersAreInternalErrors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float temperature : {0.0f, 1.0f}) {
    Sampler sampler(Drawing(temperature), {}, {});
    for (const std::vector<float>& logits : std::vector<std::vector<float>>{
             {nan, 1, 2},
             {1, 2, nan},
             {-kInfinity, -kInfinity},
             {0, kInfinity},
         }) {
      EXPECT_EQ(SampleOnce(sampler, logits).status().code(), absl::StatusCode::kInternal);
    }
  }
}

TEST(SamplerTest, FindsTheHighestLogitAndWhatIsNoNumberAtEveryPlaceOfALongVocabulary) {
  for (const size_t size : {16, 37, 100}) {
    for (size_t place = 0; place < size; ++place) {
      std::vector<float> logits(size, -2);
      logits[place] = -1;
      Sampler sampler({}, {}, {});
      EXPECT_EQ(SampleOnce(sampler, logits)->id, static_cast<int32_t>(place));
      logits[size - 1] = -1;  // a tie, which the lower id wins
      EXPECT_EQ(SampleOnce(sampler, logits)->id, static_cast<int32_t>(place));
      logits[place] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_EQ(SampleOnce(sampler, logits).status().code(), absl::StatusCode::kInternal) << place;
    }
  }
}

TEST(SamplerTest, DrawsInProportionToTheSoftmaxAtTheTemperature) {
  const std::vector<float> logits = {0, 1, 2, -1};
  constexpr int kDraws = 40000;
  for (const float temperature : {0.5f, 1.0f, 3.0f}) {
    double total = 0;
    for (float logit : logits) total += std::exp(logit / temperature);
    std::map<int32_t, int> counts = Histogram(Drawing(temperature), logits, kDraws);
    for (int32_t id = 0; id < 4; ++id) {
      const double share = std::exp(logits[id] / temperature) / total;
      const double deviation = std::sqrt(kDraws * share * (1 - share));
      EXPECT_NEAR(counts[id], kDraws * share, 5 * deviation) << "at temperature " << temperature;
    }
  }
}

TEST(SamplerTest, ATinyTemperatureIsGreedy) {
  EXPECT_EQ(Ids(Histogram(Drawing(1e-38f), {1, 1.0001f, 0}, 100)), (std::set<int32_t>{1}));
}

TEST(SamplerTest, TopKKeepsTheKHighestAndTheLowerIdOnATie) {
  SamplingParams params = Drawing(1);
  params.top_k = 3;
  EXPECT_EQ(Ids(Histogram(params, {1, 2, 2, 0, 2, 1}, 500)), (std::set<int32_t>{1, 2, 4}));
  EXPECT_EQ(Ids(Histogram(params, {1, 1, 1, 1}, 500)), (std::set<int32_t>{0, 1, 2}));
  params.top_k = 1;
  EXPECT_EQ(Ids(Histogram(params, {1, 2, 2}, 100)), (std::set<int32_t>{1}));
}

TEST(SamplerTest, TopPKeepsTheSmallestSetThatReachesTheShare) {
  // Shares 0.5, 0.25, 0.125, 0.125.
  const std::vector<float> logits = {std::log(2.0f), std::log(4.0f), 0, 0};
  SamplingParams params = Drawing(1);
  const std::map<float, std::set<int32_t>> expected = {{1e-6f, {1}},       {0.49f, {1}},
                                                       {0.51f, {0, 1}},    {0.74f, {0, 1}},
                                                       {0.76f, {0, 1, 2}}, {0.9f, {0, 1, 2, 3}}};
  for (const auto& [top_p, ids] : expected) {
    params.top_p = top_p;
    EXPECT_EQ(Ids(Histogram(params, logits, 800)), ids) << "top_p " << top_p;
  }
}

TEST(SamplerTest, TopPHoldsInALargeFlatVocabulary) {
  SamplingParams params = Drawing(1);
  params.top_p = 0.25f;
  const std::map<int32_t, int> counts = Histogram(params, std::vector<float>(2000, 0.0f), 1500);
  EXPECT_LE(counts.rbegin()->first, 500);
  EXPECT_GT(counts.rbegin()->first, 400);
}

TEST(SamplerTest, MinPKeepsWhatReachesThatShareOfTheBest) {
  const std::vector<float> logits = {0, std::log(0.3f), std::log(0.1f)};
  SamplingParams params = Drawing(1);
  params.min_p = 0.2f;
  EXPECT_EQ(Ids(Histogram(params, logits, 500)), (std::set<int32_t>{0, 1}));
  params.min_p = 1;
  EXPECT_EQ(Ids(Histogram(params, logits, 100)), (std::set<int32_t>{0}));
}

TEST(SamplerTest, TheSameSeedGivesTheSameDraws) {
  const std::vector<float> logits(50, 0.0f);
  Sampler a(Drawing(1, 42), {}, {});
  Sampler b(Drawing(1, 42), {}, {});
  Sampler other(Drawing(1, 43), {}, {});
  int same_as_other = 0;
  for (int i = 0; i < 200; ++i) {
    const int32_t id = SampleOnce(a, logits)->id;
    EXPECT_EQ(SampleOnce(b, logits)->id, id);
    same_as_other += SampleOnce(other, logits)->id == id ? 1 : 0;
  }
  EXPECT_LT(same_as_other, 50);
}

// Logits after penalties, read off as log-probability differences.
std::vector<float> Penalised(Sampler& sampler, const std::vector<float>& logits) {
  const SampledToken token = *SampleOnce(sampler, logits);
  std::vector<float> result(logits.size());
  for (const auto& [id, logprob] : token.top) result[id] = logprob;
  for (size_t i = result.size(); i-- > 0;) result[i] -= result[0];
  return result;
}

TEST(SamplerTest, PenaltiesFollowTheirFormulas) {
  SamplingParams params;
  params.logprobs = 5;
  params.repetition_penalty = 2;
  params.presence_penalty = 0.5f;
  params.frequency_penalty = 0.25f;
  // Id 4 is in the prompt, id 3 is generated three times, id 0 never appears.
  Sampler sampler(params, {4, 4}, {});
  for (int i = 0; i < 3; ++i) ASSERT_EQ(SampleOnce(sampler, {0, 0, 0, 1000, 0})->id, 3);
  const std::vector<float> seen = Penalised(sampler, {0, -2, 1, 4, 3});
  const std::vector<float> expected = {0, -2, 1, 4.0f / 2 - 0.5f - 3 * 0.25f, 3.0f / 2};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(seen[i], expected[i], 1e-5) << i;
}

TEST(SamplerTest, RepetitionPenaltyPushesNegativeLogitsDown) {
  SamplingParams params;
  params.logprobs = 3;
  params.repetition_penalty = 2;
  Sampler sampler(params, {1}, {});
  EXPECT_NEAR(Penalised(sampler, {0, -1.5f, -1})[1], -3, 1e-5);
}

TEST(SamplerTest, PresenceAndFrequencyPenaltiesDoNotCountThePrompt) {
  SamplingParams params;
  params.presence_penalty = 5;
  params.frequency_penalty = 5;
  Sampler sampler(params, {1, 1, 1}, {});
  EXPECT_EQ(SampleOnce(sampler, {0, 1, 0.5f})->id, 1);
  EXPECT_EQ(SampleOnce(sampler, {0, 1, 0.5f})->id, 2);
}

TEST(SamplerTest, LogitBiasIsAdded) {
  SamplingParams params;
  params.logit_bias = {{0, 2.5f}, {2, -100}};
  Sampler sampler(params, {}, {});
  EXPECT_EQ(SampleOnce(sampler, {0, 2, 50})->id, 0);
  EXPECT_EQ(SampleOnce(sampler, {0, 3, 50})->id, 1);
}

TEST(SamplerTest, EndIdsAreNotChosenBeforeMinTokens) {
  SamplingParams params;
  params.min_tokens = 2;
  Sampler sampler(params, {}, {0, 2});
  const std::vector<float> logits = {9, 1, 10, 0};
  EXPECT_EQ(SampleOnce(sampler, logits)->id, 1);
  EXPECT_EQ(SampleOnce(sampler, logits)->id, 1);
  EXPECT_EQ(SampleOnce(sampler, logits)->id, 2);
}

TEST(SamplerTest, LogprobsAreNormalisedAndInOrder) {
  SamplingParams params = Drawing(2, 5);
  params.logprobs = 6;
  params.top_k = 2;  // filters do not change what is reported
  Sampler sampler(params, {}, {});
  const std::vector<float> logits = {1, 3, -2, 3, 0.5f, -kInfinity};
  const SampledToken token = *SampleOnce(sampler, logits);
  ASSERT_EQ(token.top.size(), 6u);
  double total = 0;
  for (const auto& [id, logprob] : token.top) {
    total += std::exp(logprob);
    if (id == token.id) {
      EXPECT_FLOAT_EQ(logprob, token.logprob);
    }
  }
  EXPECT_NEAR(total, 1, 1e-5);
  std::vector<int32_t> order;
  for (const auto& [id, logprob] : token.top) order.push_back(id);
  EXPECT_THAT(order, ::testing::ElementsAre(1, 3, 0, 4, 2, 5));
}

TEST(SamplerTest, LogprobsOfZeroReportTheChosenTokenAlone) {
  SamplingParams params;
  params.logprobs = 0;
  Sampler sampler(params, {}, {});
  const SampledToken token = *SampleOnce(sampler, {0, 0});
  EXPECT_NEAR(token.logprob, std::log(0.5), 1e-6);
  EXPECT_TRUE(token.top.empty());
}

TEST(SamplerTest, TokensThatAreTakenAfterTheNextOneWasStartedAreTheSame) {
  SamplingParams params = Drawing(1, 7);
  params.min_tokens = 3;
  params.logprobs = 2;
  params.logit_bias = {{4, 1.5f}};
  const std::vector<float> logits = {1, 0.5f, 0, 2, -1, 0.25f};
  Sampler at_once(params, {}, {3});
  Sampler late(params, {}, {3});
  for (const SampledToken& token : SampleLate(late, logits, 40)) {
    const SampledToken expected = *SampleOnce(at_once, logits);
    EXPECT_EQ(token.id, expected.id);
    EXPECT_EQ(token.logprob, expected.logprob);
    EXPECT_EQ(token.top, expected.top);
  }
}

TEST(SamplerTest, MinTokensCountTokensThatHaveNotBeenTaken) {
  SamplingParams params;
  params.min_tokens = 2;
  Sampler sampler(params, {}, {0});
  std::vector<int32_t> ids;
  for (const SampledToken& token : SampleLate(sampler, {2, 1}, 4)) ids.push_back(token.id);
  EXPECT_THAT(ids, ::testing::ElementsAre(1, 1, 0, 0));
}

TEST(SamplerTest, OnlyPenaltiesNeedTheLastToken) {
  SamplingParams others = Drawing(1);
  others.top_k = 3;
  others.top_p = 0.5f;
  others.min_p = 0.1f;
  others.min_tokens = 4;
  others.logprobs = 1;
  others.logit_bias = {{1, 1.0f}};
  EXPECT_FALSE(Sampler(others, {1}, {2}).needs_last_token());
  for (float SamplingParams::*penalty :
       {&SamplingParams::repetition_penalty, &SamplingParams::presence_penalty,
        &SamplingParams::frequency_penalty}) {
    SamplingParams params;
    params.*penalty = 0.5f;
    EXPECT_TRUE(Sampler(params, {}, {}).needs_last_token());
  }
}

}  // namespace
}  // namespace windowkv
