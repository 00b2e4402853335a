#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/server/generation/live_generation_server.h"

// Every cache option with every policy.

namespace windowkv {
namespace {

using testing::LiveServerTest;
using testing::NameOf;
using testing::Refusal;
using testing::Reply;

constexpr v1::CachePolicy kPolicies[] = {v1::CACHE_POLICY_FULL,          v1::CACHE_POLICY_WINDOWKV,
                                         v1::CACHE_POLICY_STREAMING_LLM, v1::CACHE_POLICY_SNAPKV,
                                         v1::CACHE_POLICY_PYRAMIDKV,     v1::CACHE_POLICY_H2O};

const std::vector<std::string> kAllButFull = {"WINDOWKV", "STREAMING_LLM", "SNAPKV", "PYRAMIDKV",
                                              "H2O"};

struct Option {
  std::string name;
  std::function<void(v1::CacheOptions*)> set;
  std::vector<std::string> policies;  // that know it
};

std::vector<Option> Options() {
  return {
      {"budget_tokens", [](auto* c) { c->set_budget_tokens(1000); }, kAllButFull},
      {"budget_bytes", [](auto* c) { c->set_budget_bytes(int64_t{1} << 30); }, kAllButFull},
      {"budget_fraction", [](auto* c) { c->set_budget_fraction(1); }, kAllButFull},
      {"sink_tokens", [](auto* c) { c->set_sink_tokens(0); }, kAllButFull},
      {"pinned", [](auto* c) { c->add_pinned()->set_message(1); }, kAllButFull},
      {"pin_system_prompt", [](auto* c) { c->set_pin_system_prompt(true); }, kAllButFull},
      {"window_size", [](auto* c) { c->set_window_size(8); }, {"WINDOWKV"}},
      {"shared_layers", [](auto* c) { c->set_shared_layers(2); }, {"WINDOWKV"}},
      {"observation_tokens",
       [](auto* c) { c->set_observation_tokens(16); },
       {"WINDOWKV", "SNAPKV", "PYRAMIDKV"}},
      {"beta", [](auto* c) { c->set_beta(14); }, {"WINDOWKV", "PYRAMIDKV"}},
      {"strategy", [](auto* c) { c->set_strategy(v1::STRATEGY_MEAN); }, {"WINDOWKV"}},
      {"task_mapping", [](auto* c) { c->set_task_mapping(v1::TASK_MAPPING_PAPER); }, {"WINDOWKV"}},
      {"accounting", [](auto* c) { c->set_accounting(v1::BUDGET_ACCOUNTING_TOTAL); }, {"WINDOWKV"}},
  };
}

bool Knows(const Option& option, v1::CachePolicy policy) {
  return std::find(option.policies.begin(), option.policies.end(), NameOf(policy)) !=
         option.policies.end();
}

// A chat with a system message, so that every option could apply.
v1::GenerateRequest ChatRequest(v1::CachePolicy policy, const Option& option) {
  v1::GenerateRequest request;
  v1::ChatMessage* system = request.mutable_chat()->add_messages();
  system->set_role("system");
  system->set_content("Be brief.");
  v1::ChatMessage* user = request.mutable_chat()->add_messages();
  user->set_role("user");
  user->set_content("Hello");
  request.mutable_sampling()->set_max_tokens(1);
  request.mutable_cache()->set_policy(policy);
  option.set(request.mutable_cache());
  return request;
}

std::vector<Refusal> OptionsOfOtherPolicies() {
  std::vector<Refusal> refusals;
  for (const Option& option : Options()) {
    const std::string only_to = ", only to " + absl::StrJoin(option.policies, ", ");
    const std::string field = "cache." + option.name;
    for (const v1::CachePolicy policy : kPolicies) {
      if (Knows(option, policy)) continue;
      refusals.push_back(
          {absl::StrCat(NameOf(policy), "_", option.name), ChatRequest(policy, option), field,
           absl::StrCat(field, " does not apply to cache.policy ", NameOf(policy), only_to)});
    }
    refusals.push_back(
        {absl::StrCat("NoPolicy_", option.name), ChatRequest(v1::CACHE_POLICY_UNSPECIFIED, option),
         field,
         absl::StrCat(field, " does not apply to cache.policy FULL, the server's default",
                      only_to)});
  }
  return refusals;
}

class OptionOfOtherPoliciesTest : public LiveServerTest,
                                  public ::testing::WithParamInterface<Refusal> {};

TEST_P(OptionOfOtherPoliciesTest, IsRefusedNamingThePolicyAndThoseItAppliesTo) {
  ExpectRefused(server_.get(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Options, OptionOfOtherPoliciesTest,
                         ::testing::ValuesIn(OptionsOfOtherPolicies()),
                         [](const auto& info) { return info.param.name; });

class CacheOptionPoliciesTest : public LiveServerTest {};

TEST_F(CacheOptionPoliciesTest, ReviewOnlyRefusesWhatItsArithmeticDoesNotKnow) {
  const auto request = [](const std::function<void(v1::CacheOptions*)>& set) {
    v1::GenerateRequest asked = ChatRequest(v1::CACHE_POLICY_WINDOWKV, {"", set, {}});
    asked.mutable_cache()->set_accounting(v1::BUDGET_ACCOUNTING_REVIEW_ONLY);
    return asked;
  };
  const std::string under = "under cache.accounting REVIEW_ONLY";
  ExpectRefused(server_.get(), {"", request([](auto* c) { c->set_sink_tokens(4); }),
                                "cache.sink_tokens", "is 4, must be 0 " + under});
  ExpectRefused(server_.get(), {"", request([](auto* c) { c->add_pinned()->set_message(1); }),
                                "cache.pinned", "must be empty " + under});
  ExpectRefused(server_.get(), {"", request([](auto* c) { c->set_pin_system_prompt(true); }),
                                "cache.pin_system_prompt", "must be false " + under});
}

TEST_F(CacheOptionPoliciesTest, AnOptionThatThePolicyKnowsIsTaken) {
  for (const Option& option : Options()) {
    for (const v1::CachePolicy policy : kPolicies) {
      if (!Knows(option, policy)) continue;
      SCOPED_TRACE(absl::StrCat(NameOf(policy), " ", option.name));
      const Reply reply = server_->Generate(ChatRequest(policy, option));
      ASSERT_TRUE(reply.status.ok()) << reply.status;
      EXPECT_EQ(reply.accepted->cache().policy(), policy);
      EXPECT_EQ(reply.finished->receipt().policy(), policy);
    }
  }
}

}  // namespace
}  // namespace windowkv
