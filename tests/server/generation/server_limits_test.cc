#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/server/generation/live_generation_server.h"

// A server whose limits are lower than the protocol's.

namespace windowkv {
namespace {

using testing::LiveGenerationServer;
using testing::NameOf;
using testing::Reply;
using testing::TokensRequest;

class ServerLimitsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = LiveGenerationServer::Start({.budget_tokens = 60, .beta = 9, .sink_tokens = 3},
                                          {.budget_tokens = 64,
                                           .window_size = 16,
                                           .observation_tokens = 12,
                                           .beta = 10,
                                           .sink_tokens = 6,
                                           .pinned_spans = 2});
    ASSERT_NE(server_, nullptr);
  }
  static void TearDownTestSuite() { server_.reset(); }

  static inline std::unique_ptr<LiveGenerationServer> server_;
};

TEST_F(ServerLimitsTest, GetModelInfoTellsLimitsAndDefaults) {
  const v1::ModelInfo info = server_->GetModelInfo();
  EXPECT_EQ(info.cache_limits().budget_tokens(), 64);
  EXPECT_EQ(info.cache_limits().window_size(), 16);
  EXPECT_EQ(info.cache_limits().shared_layers(), 8);
  EXPECT_EQ(info.cache_limits().observation_tokens(), 12);
  EXPECT_EQ(info.cache_limits().beta(), 10);
  EXPECT_EQ(info.cache_limits().sink_tokens(), 6);
  EXPECT_EQ(info.cache_limits().pinned_spans(), 2);
  EXPECT_EQ(info.default_cache().budget_tokens(), 60);
  EXPECT_EQ(info.default_cache().observation_tokens(), 12);
  EXPECT_EQ(info.default_cache().beta(), 9);
  EXPECT_EQ(info.default_cache().sink_tokens(), 3);
}

TEST_F(ServerLimitsTest, DefaultsOfEveryPolicyAreWithinTheLimits) {
  for (const v1::CachePolicy policy :
       {v1::CACHE_POLICY_WINDOWKV, v1::CACHE_POLICY_STREAMING_LLM, v1::CACHE_POLICY_SNAPKV,
        v1::CACHE_POLICY_PYRAMIDKV, v1::CACHE_POLICY_H2O}) {
    SCOPED_TRACE(NameOf(policy));
    const Reply reply = server_->Generate(TokensRequest(100, policy));
    ASSERT_TRUE(reply.status.ok()) << reply.status;
    EXPECT_EQ(reply.accepted->cache().budget_tokens(), 60);
    EXPECT_LE(reply.accepted->cache().observation_tokens(), 12);
    EXPECT_LE(reply.accepted->cache().beta(), 10);
    EXPECT_EQ(reply.accepted->cache().sink_tokens(), 3);
  }
}

struct Limit {
  std::string field;
  std::function<void(v1::CacheOptions*, int32_t)> set;
  int32_t limit;
  std::string message;  // one above it
};

const std::vector<Limit>& Limits() {
  static const auto& limits = *new std::vector<Limit>{
      {"cache.budget_tokens", [](auto* c, int32_t value) { c->set_budget_tokens(value); }, 64,
       "is 65, must be in [1, 64]"},
      {"cache.window_size", [](auto* c, int32_t value) { c->set_window_size(value); }, 16,
       "is 17, must be in [1, 16]"},
      {"cache.shared_layers", [](auto* c, int32_t value) { c->set_shared_layers(value); }, 8,
       "is 9, must be in [1, 8]"},
      {"cache.observation_tokens", [](auto* c, int32_t value) { c->set_observation_tokens(value); },
       12, "is 13, must be in [1, 12]"},
      {"cache.beta", [](auto* c, int32_t value) { c->set_beta(value); }, 10,
       "is 11, must be in [1, 10]"},
      {"cache.sink_tokens", [](auto* c, int32_t value) { c->set_sink_tokens(value); }, 6,
       "is 7, must be in [0, 6]"},
      {"cache.pinned",
       [](auto* c, int32_t value) {
         for (int32_t i = 0; i < value; ++i) {
           c->add_pinned()->mutable_tokens()->set_begin(2 * i);
           c->mutable_pinned(i)->mutable_tokens()->set_end(2 * i + 1);
         }
       },
       2, "has 3 spans, must have at most 2"},
  };
  return limits;
}

TEST_F(ServerLimitsTest, OptionsAtTheLimitAreTakenAndAboveItRefused) {
  for (const Limit& limit : Limits()) {
    SCOPED_TRACE(limit.field);
    v1::GenerateRequest request = TokensRequest(100, v1::CACHE_POLICY_WINDOWKV);
    limit.set(request.mutable_cache(), limit.limit);
    const Reply reply = server_->Generate(request);
    EXPECT_TRUE(reply.status.ok()) << reply.status;
    request = TokensRequest(100, v1::CACHE_POLICY_WINDOWKV);
    limit.set(request.mutable_cache(), limit.limit + 1);
    ExpectRefused(server_.get(), {"", request, limit.field, limit.message});
  }
}

TEST_F(ServerLimitsTest, FullIsTakenUpToTheBudgetLimitOnly) {
  const Reply reply = server_->Generate(TokensRequest(64, v1::CACHE_POLICY_FULL));
  EXPECT_TRUE(reply.status.ok()) << reply.status;
  ExpectRefused(server_.get(), {"", TokensRequest(65, v1::CACHE_POLICY_FULL), "cache.policy",
                                "is FULL, which keeps all 65 prompt tokens per layer, must keep at "
                                "most 64, this server's limit"});
  // FULL is this server's default.
  ExpectRefused(server_.get(), {"", TokensRequest(65), "cache.policy", "which keeps all 65"});
}

TEST_F(ServerLimitsTest, BytesAndFractionsAreLimitedByTheTokensTheyComeTo) {
  const std::string message = "comes to 65 tokens per layer, must be at most 64, this server's";
  v1::GenerateRequest request = TokensRequest(64, v1::CACHE_POLICY_SNAPKV);
  request.mutable_cache()->set_budget_fraction(1);
  EXPECT_TRUE(server_->Generate(request).status.ok());
  request = TokensRequest(65, v1::CACHE_POLICY_SNAPKV);
  request.mutable_cache()->set_budget_fraction(1);
  ExpectRefused(server_.get(), {"", request, "cache.budget_fraction", message});
  request.mutable_cache()->set_budget_bytes(INT64_MAX);
  ExpectRefused(server_.get(), {"", request, "cache.budget_bytes", message});
}

}  // namespace
}  // namespace windowkv
