#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/server/generation/live_generation_server.h"

// Budgets that cannot hold what a policy always keeps, or one window.

namespace windowkv {
namespace {

using testing::LiveServerTest;
using testing::TokensRequest;

struct Least {
  std::string name;
  v1::CachePolicy policy;
  std::function<void(v1::CacheOptions*)> change;
  int32_t least;  // tokens per layer that are accepted, for a prompt of 200
  std::string parts;
};

void PrintTo(const Least& least, std::ostream* out) { *out << least.name; }

void Pin(v1::CacheOptions* cache, int32_t begin, int32_t end) {
  v1::TokenRange* tokens = cache->add_pinned()->mutable_tokens();
  tokens->set_begin(begin);
  tokens->set_end(end);
}

class SmallBudgetTest : public LiveServerTest, public ::testing::WithParamInterface<Least> {
 protected:
  static v1::GenerateRequest Request() {
    v1::GenerateRequest request = TokensRequest(200, GetParam().policy);
    GetParam().change(request.mutable_cache());
    return request;
  }
  static std::string Message(int32_t budget) {
    return "comes to " + std::to_string(budget) + " tokens per layer, must be at least " +
           std::to_string(GetParam().least) + ": " + GetParam().parts;
  }
};

TEST_P(SmallBudgetTest, TheLeastTokensAreTakenAndOneFewerIsRefusedWithBothNumbers) {
  v1::GenerateRequest request = Request();
  request.mutable_cache()->set_budget_tokens(GetParam().least);
  const testing::Reply reply = server_->Generate(request);
  EXPECT_TRUE(reply.status.ok()) << reply.status;
  request.mutable_cache()->set_budget_tokens(GetParam().least - 1);
  ExpectRefused(server_.get(), {"", request, "cache.budget_tokens", Message(GetParam().least - 1)});
}

TEST_P(SmallBudgetTest, BytesAndFractionsAreRefusedByTheirOwnNames) {
  v1::GenerateRequest request = Request();
  request.mutable_cache()->set_budget_bytes(131072);  // one block per layer
  ExpectRefused(server_.get(), {"", request, "cache.budget_bytes", Message(1)});
  request.mutable_cache()->set_budget_fraction(0.01F);
  ExpectRefused(server_.get(), {"", request, "cache.budget_fraction", Message(2)});
  request.mutable_cache()->set_budget_fraction(1e-30F);
  ExpectRefused(server_.get(), {"", request, "cache.budget_fraction", Message(1)});
}

INSTANTIATE_TEST_SUITE_P(
    Budgets, SmallBudgetTest,
    ::testing::Values(
        Least{"Windowkv", v1::CACHE_POLICY_WINDOWKV, [](auto* c) {}, 28,
              "the 20 tokens that are always kept (sink 4, observation 16, pinned spans 0) and one "
              "window of 8"},
        Least{"WindowkvPinned", v1::CACHE_POLICY_WINDOWKV,
              [](auto* c) {
                c->set_window_size(5);
                Pin(c, 2, 12);     // two of them sink tokens
                Pin(c, 190, 200);  // all observed
              },
              33,
              "the 28 tokens that are always kept (sink 4, observation 16, pinned spans 20) and "
              "one window of 5"},
        Least{"WindowkvReviewOnly", v1::CACHE_POLICY_WINDOWKV,
              [](auto* c) { c->set_accounting(v1::BUDGET_ACCOUNTING_REVIEW_ONLY); }, 8,
              "one window of 8"},
        Least{"StreamingLlm", v1::CACHE_POLICY_STREAMING_LLM, [](auto* c) {}, 4,
              "the 4 tokens that are always kept (sink 4, observation 0, pinned spans 0)"},
        Least{"StreamingLlmPinned", v1::CACHE_POLICY_STREAMING_LLM, [](auto* c) { Pin(c, 20, 70); },
              54, "the 54 tokens that are always kept (sink 4, observation 0, pinned spans 50)"},
        Least{"Snapkv", v1::CACHE_POLICY_SNAPKV, [](auto* c) {}, 36,
              "the 36 tokens that are always kept (sink 4, observation 32, pinned spans 0)"},
        Least{"Pyramidkv", v1::CACHE_POLICY_PYRAMIDKV,
              [](auto* c) {
                c->set_sink_tokens(0);
                Pin(c, 40, 47);
              },
              39, "the 39 tokens that are always kept (sink 0, observation 32, pinned spans 7)"},
        Least{"H2o", v1::CACHE_POLICY_H2O, [](auto* c) { c->set_sink_tokens(9); }, 9,
              "the 9 tokens that are always kept (sink 9, observation 0, pinned spans 0)"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace windowkv
