#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/generation/live_generation_server.h"

// Every cache option at, below and above its limits, for every policy that knows it.

namespace windowkv {
namespace {

using testing::LiveServerTest;
using testing::NameOf;
using testing::Refusal;
using testing::Reply;
using testing::TokensRequest;
using v1::CACHE_POLICY_H2O;
using v1::CACHE_POLICY_PYRAMIDKV;
using v1::CACHE_POLICY_SNAPKV;
using v1::CACHE_POLICY_STREAMING_LLM;
using v1::CACHE_POLICY_WINDOWKV;

// The demo model's.
constexpr int32_t kLayers = 8;
constexpr int32_t kContext = 8192;
constexpr int64_t kBlockBytes = 16 * 2 * 2 * 64 * sizeof(float);
constexpr int64_t kLeastBytes = kLayers * kBlockBytes;

struct IntegerOption {
  std::string name;
  int32_t lowest;
  int32_t highest;
  void (*set)(v1::CacheOptions*, int32_t);
  int32_t (*resolved)(const v1::ResolvedCacheOptions&);
  std::vector<v1::CachePolicy> policies;  // that know it
};

const std::vector<IntegerOption>& IntegerOptions() {
  static const auto& options = *new std::vector<IntegerOption>{
      {"budget_tokens",
       1,
       kContext,
       [](auto* cache, int32_t value) { cache->set_budget_tokens(value); },
       [](const auto& resolved) { return resolved.budget_tokens(); },
       {CACHE_POLICY_WINDOWKV, CACHE_POLICY_STREAMING_LLM, CACHE_POLICY_SNAPKV,
        CACHE_POLICY_PYRAMIDKV, CACHE_POLICY_H2O}},
      {"sink_tokens",
       0,
       1024,
       [](auto* cache, int32_t value) { cache->set_sink_tokens(value); },
       [](const auto& resolved) { return resolved.sink_tokens(); },
       {CACHE_POLICY_WINDOWKV, CACHE_POLICY_STREAMING_LLM, CACHE_POLICY_SNAPKV,
        CACHE_POLICY_PYRAMIDKV, CACHE_POLICY_H2O}},
      {"window_size",
       1,
       1024,
       [](auto* cache, int32_t value) { cache->set_window_size(value); },
       [](const auto& resolved) { return resolved.window_size(); },
       {CACHE_POLICY_WINDOWKV}},
      {"shared_layers",
       1,
       kLayers,
       [](auto* cache, int32_t value) { cache->set_shared_layers(value); },
       [](const auto& resolved) { return resolved.shared_layers(); },
       {CACHE_POLICY_WINDOWKV}},
      {"observation_tokens",
       1,
       512,
       [](auto* cache, int32_t value) { cache->set_observation_tokens(value); },
       [](const auto& resolved) { return resolved.observation_tokens(); },
       {CACHE_POLICY_WINDOWKV, CACHE_POLICY_SNAPKV, CACHE_POLICY_PYRAMIDKV}},
      {"beta",
       1,
       1024,
       [](auto* cache, int32_t value) { cache->set_beta(value); },
       [](const auto& resolved) { return resolved.beta(); },
       {CACHE_POLICY_WINDOWKV, CACHE_POLICY_PYRAMIDKV}},
  };
  return options;
}

std::vector<Refusal> IntegersOutOfRange() {
  std::vector<Refusal> refusals;
  for (const IntegerOption& option : IntegerOptions()) {
    const std::pair<std::string, int32_t> values[] = {{"BelowTheLowest", option.lowest - 1},
                                                      {"AboveTheHighest", option.highest + 1},
                                                      {"Negative", -7},
                                                      {"Least", INT32_MIN},
                                                      {"Greatest", INT32_MAX}};
    for (const v1::CachePolicy policy : option.policies) {
      for (const auto& [label, value] : values) {
        Refusal refusal;
        refusal.name = absl::StrCat(NameOf(policy), "_", option.name, "_", label);
        refusal.request = TokensRequest(1, policy);
        option.set(refusal.request.mutable_cache(), value);
        refusal.field = absl::StrCat("cache.", option.name);
        refusal.message = absl::StrCat(refusal.field, " is ", value, ", must be in [",
                                       option.lowest, ", ", option.highest, "]");
        refusals.push_back(refusal);
      }
    }
  }
  return refusals;
}

std::vector<Refusal> BytesOutOfRange() {
  std::vector<Refusal> refusals;
  const std::pair<std::string, int64_t> values[] = {
      {"BelowTheLowest", kLeastBytes - 1}, {"Zero", 0}, {"Negative", -1}, {"Least", INT64_MIN}};
  for (const auto& [label, value] : values) {
    Refusal refusal{"budget_bytes_" + label, TokensRequest(1, CACHE_POLICY_SNAPKV),
                    "cache.budget_bytes",
                    absl::StrCat("is ", value, ", must be at least ", kLeastBytes,
                                 " (one block for each of 8 layers)")};
    refusal.request.mutable_cache()->set_budget_bytes(value);
    refusals.push_back(refusal);
  }
  return refusals;
}

std::vector<Refusal> FractionsOutOfRange() {
  std::vector<Refusal> refusals;
  const std::pair<std::string, float> values[] = {
      {"Zero", 0.0F},         {"MinusZero", -0.0F},
      {"Negative", -0.25F},   {"JustAboveOne", std::nextafter(1.0F, 2.0F)},
      {"Greatest", FLT_MAX},  {"Lowest", -FLT_MAX},
      {"Infinite", INFINITY}, {"NegativeInfinite", -INFINITY},
      {"NotANumber", NAN}};
  for (const auto& [label, value] : values) {
    Refusal refusal{"budget_fraction_" + label, TokensRequest(1, CACHE_POLICY_H2O),
                    "cache.budget_fraction", ", must be in (0, 1]"};
    refusal.request.mutable_cache()->set_budget_fraction(value);
    refusals.push_back(refusal);
  }
  return refusals;
}

class OutOfRangeOptionTest : public LiveServerTest,
                             public ::testing::WithParamInterface<Refusal> {};

TEST_P(OutOfRangeOptionTest, IsRefusedWithItsValueAndItsRange) {
  ExpectRefused(server_.get(), GetParam());
}

const auto kNameOfRefusal = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Integers, OutOfRangeOptionTest, ::testing::ValuesIn(IntegersOutOfRange()),
                         kNameOfRefusal);
INSTANTIATE_TEST_SUITE_P(Bytes, OutOfRangeOptionTest, ::testing::ValuesIn(BytesOutOfRange()),
                         kNameOfRefusal);
INSTANTIATE_TEST_SUITE_P(Fractions, OutOfRangeOptionTest,
                         ::testing::ValuesIn(FractionsOutOfRange()), kNameOfRefusal);

class CacheOptionLimitsTest : public LiveServerTest {};

TEST_F(CacheOptionLimitsTest, IntegersAtTheirLimitsAreTakenAsTheyAre) {
  for (const IntegerOption& option : IntegerOptions()) {
    for (const v1::CachePolicy policy : option.policies) {
      for (const int32_t value : {option.lowest, option.highest}) {
        SCOPED_TRACE(absl::StrCat(NameOf(policy), " ", option.name, " ", value));
        v1::GenerateRequest request = TokensRequest(1, policy);
        option.set(request.mutable_cache(), value);
        const Reply reply = server_->Generate(request);
        ASSERT_TRUE(reply.status.ok()) << reply.status;
        EXPECT_EQ(option.resolved(reply.accepted->cache()), value);
      }
    }
  }
}

TEST_F(CacheOptionLimitsTest, BytesFromOneBlockPerLayerToTheGreatestAreTaken) {
  const v1::ModelInfo info = server_->GetModelInfo();
  ASSERT_EQ(info.num_layers() * info.block_bytes(), kLeastBytes);
  v1::GenerateRequest request = TokensRequest(1, CACHE_POLICY_SNAPKV);
  request.mutable_cache()->set_budget_bytes(kLeastBytes);
  Reply reply = server_->Generate(request);
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.accepted->cache().budget_tokens(), 1);
  EXPECT_EQ(reply.finished->receipt().bytes_kept(), kLeastBytes);
  request.mutable_cache()->set_budget_bytes(INT64_MAX);
  reply = server_->Generate(request);
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.accepted->cache().budget_tokens(), info.context_length());
}

TEST_F(CacheOptionLimitsTest, FractionsFromTheSmallestToOneAreTaken) {
  v1::GenerateRequest request = TokensRequest(1, CACHE_POLICY_H2O);
  for (const float fraction : {std::numeric_limits<float>::denorm_min(), 0.5F, 1.0F}) {
    request.mutable_cache()->set_budget_fraction(fraction);
    const Reply reply = server_->Generate(request);
    ASSERT_TRUE(reply.status.ok()) << reply.status;
    EXPECT_EQ(reply.accepted->cache().budget_tokens(), 1);
  }
}

}  // namespace
}  // namespace windowkv
