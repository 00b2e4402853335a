#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/server/generation/live_generation_server.h"

// What the `accepted` message says a request's cache options came to.

namespace windowkv {
namespace {

using testing::LiveServerTest;
using testing::NameOf;
using testing::Reply;
using testing::TokensRequest;

constexpr int32_t kPromptTokens = 100;

struct Resolution {
  v1::CachePolicy policy;
  std::string asked;     // CacheOptions beside the policy
  std::string resolved;  // ResolvedCacheOptions beside the policy, complete
};

void PrintTo(const Resolution& resolution, std::ostream* out) {
  *out << NameOf(resolution.policy) << " " << resolution.asked;
}

class ResolvedCacheOptionsTest : public LiveServerTest,
                                 public ::testing::WithParamInterface<Resolution> {};

TEST_P(ResolvedCacheOptionsTest, ComeBackCompleteWithZeroForWhatDoesNotApply) {
  v1::GenerateRequest request = TokensRequest(kPromptTokens);
  ASSERT_TRUE(
      google::protobuf::TextFormat::ParseFromString(GetParam().asked, request.mutable_cache()));
  request.mutable_cache()->set_policy(GetParam().policy);
  v1::ResolvedCacheOptions expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(GetParam().resolved, &expected));
  expected.set_policy(GetParam().policy);
  const Reply reply = server_->Generate(request);
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.accepted->cache().ShortDebugString(), expected.ShortDebugString());
  EXPECT_EQ(reply.accepted->prompt_tokens(), kPromptTokens);
}

const auto kNameOfPolicy = [](const auto& info) { return NameOf(info.param.policy); };

INSTANTIATE_TEST_SUITE_P(
    Defaults, ResolvedCacheOptionsTest,
    ::testing::Values(
        Resolution{v1::CACHE_POLICY_FULL, "", ""},
        Resolution{v1::CACHE_POLICY_WINDOWKV, "",
                   "budget_tokens: 1024 window_size: 8 shared_layers: 2 observation_tokens: 16 "
                   "beta: 4 strategy: STRATEGY_MEAN accounting: BUDGET_ACCOUNTING_TOTAL "
                   "sink_tokens: 4"},
        Resolution{v1::CACHE_POLICY_STREAMING_LLM, "",
                   "budget_tokens: 1024 accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 4"},
        Resolution{v1::CACHE_POLICY_SNAPKV, "",
                   "budget_tokens: 1024 observation_tokens: 32 "
                   "accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 4"},
        Resolution{v1::CACHE_POLICY_PYRAMIDKV, "",
                   "budget_tokens: 1024 observation_tokens: 32 beta: 20 "
                   "accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 4"},
        Resolution{v1::CACHE_POLICY_H2O, "",
                   "budget_tokens: 1024 accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 4"}),
    kNameOfPolicy);

INSTANTIATE_TEST_SUITE_P(
    AsAsked, ResolvedCacheOptionsTest,
    ::testing::Values(
        Resolution{v1::CACHE_POLICY_WINDOWKV,
                   "budget_tokens: 60 window_size: 5 shared_layers: 3 observation_tokens: 7 "
                   "beta: 9 strategy: STRATEGY_TOP_HALF_MEAN accounting: BUDGET_ACCOUNTING_TOTAL "
                   "sink_tokens: 2 pinned { tokens { begin: 50 end: 60 } }",
                   "budget_tokens: 60 window_size: 5 shared_layers: 3 observation_tokens: 7 "
                   "beta: 9 strategy: STRATEGY_TOP_HALF_MEAN accounting: BUDGET_ACCOUNTING_TOTAL "
                   "sink_tokens: 2 pinned { begin: 50 end: 60 }"},
        // Spans that touch are one.
        Resolution{v1::CACHE_POLICY_STREAMING_LLM,
                   "budget_fraction: 0.5 sink_tokens: 0 pinned { tokens { begin: 3 end: 6 } } "
                   "pinned { tokens { begin: 6 end: 8 } } pinned { tokens { begin: 9 end: 10 } }",
                   "budget_tokens: 50 accounting: BUDGET_ACCOUNTING_TOTAL "
                   "pinned { begin: 3 end: 8 } pinned { begin: 9 end: 10 }"},
        Resolution{v1::CACHE_POLICY_SNAPKV, "budget_tokens: 70 observation_tokens: 12",
                   "budget_tokens: 70 observation_tokens: 12 "
                   "accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 4"},
        Resolution{v1::CACHE_POLICY_PYRAMIDKV,
                   "budget_tokens: 70 observation_tokens: 12 beta: 3 sink_tokens: 9",
                   "budget_tokens: 70 observation_tokens: 12 beta: 3 "
                   "accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 9"},
        // Four blocks of 16 tokens in each of 8 layers, of which one may be all but empty.
        Resolution{v1::CACHE_POLICY_H2O, "budget_bytes: 524288",
                   "budget_tokens: 49 accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 4"}),
    kNameOfPolicy);

INSTANTIATE_TEST_SUITE_P(
    ReviewOnly, ResolvedCacheOptionsTest,
    ::testing::Values(Resolution{
        v1::CACHE_POLICY_WINDOWKV,
        "budget_tokens: 16 accounting: BUDGET_ACCOUNTING_REVIEW_ONLY "
        "task_mapping: TASK_MAPPING_REFERENCE",
        "budget_tokens: 16 window_size: 8 shared_layers: 2 observation_tokens: 32 beta: 4 "
        "strategy: STRATEGY_TOP_HALF_MEAN accounting: BUDGET_ACCOUNTING_REVIEW_ONLY"}),
    kNameOfPolicy);

using AcceptedMessageTest = LiveServerTest;

TEST_F(AcceptedMessageTest, StrategyAutoComesToTheTasksStrategy) {
  v1::GenerateRequest request = TokensRequest(kPromptTokens, v1::CACHE_POLICY_WINDOWKV);
  request.mutable_cache()->set_strategy(v1::STRATEGY_AUTO);
  request.set_task(v1::TASK_AGGREGATION);
  const Reply reply = server_->Generate(request);
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.accepted->cache().strategy(), v1::STRATEGY_TOP_HALF_MEAN);
  EXPECT_EQ(reply.accepted->cache().observation_tokens(), 32);
}

}  // namespace
}  // namespace windowkv
