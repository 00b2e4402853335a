#include "client/load/load_requests.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace windowkv::client {
namespace {

LoadRequests::Config GeneratedConfig() {
  return {.seed = 4,
          .prompts = {{*LengthDistribution::Parse("uniform:100-200"),
                       PromptGenerator({.tokens_per_byte = 1, .around = 0})}},
          .output_tokens = *LengthDistribution::Parse("uniform:8-16")};
}

TEST(LoadRequestsTest, EachHasLengthsOfItsOwnAndEndsOnlyAtThem) {
  const LoadRequests requests(GeneratedConfig());
  std::set<size_t> prompts;
  std::set<int> outputs;
  for (int i = 0; i < 200; ++i) {
    const v1::GenerateRequest request = requests.Make(i).request;
    prompts.insert(request.text().size());
    outputs.insert(request.sampling().max_tokens());
    EXPECT_TRUE(request.sampling().ignore_eos());
  }
  EXPECT_GE(*prompts.begin(), 100u);
  EXPECT_LE(*prompts.rbegin(), 200u);
  EXPECT_GT(prompts.size(), 50u);
  EXPECT_EQ(*outputs.begin(), 8);
  EXPECT_EQ(*outputs.rbegin(), 16);
}

TEST(LoadRequestsTest, ARequestDependsOnSeedAndIndexAlone) {
  LoadRequests::Config config = GeneratedConfig();
  const LoadRequests one(config);
  one.Make(3);
  const LoadRequests same(config);
  using google::protobuf::util::MessageDifferencer;
  EXPECT_TRUE(MessageDifferencer::Equals(one.Make(5).request, same.Make(5).request));
  EXPECT_NE(one.Make(5).request.text(), one.Make(6).request.text());
  EXPECT_NE(one.Make(5).request.sampling().seed(), one.Make(6).request.sampling().seed());
  config.seed = 5;
  EXPECT_NE(LoadRequests(config).Make(5).request.text(), one.Make(5).request.text());
}

TEST(LoadRequestsTest, AGivenPromptAndItsOptionsAreSentAsTheyAre) {
  LoadRequests::Config config;
  config.request.set_text("hello");
  config.request.set_request_id("run");
  config.request.mutable_sampling()->set_max_tokens(7);
  config.request.mutable_cache()->set_budget_tokens(64);
  const LoadRequest load = LoadRequests(config).Make(12);
  EXPECT_EQ(load.request.text(), "hello");
  EXPECT_EQ(load.request.request_id(), "run-12");
  EXPECT_EQ(load.request.sampling().max_tokens(), 7);
  EXPECT_FALSE(load.request.sampling().ignore_eos());
  EXPECT_EQ(load.request.cache().budget_tokens(), 64);
  EXPECT_FALSE(load.cancel_after);
}

TEST(LoadRequestsTest, AGeneratedPromptOfAChatIsItsLastMessage) {
  LoadRequests::Config config = GeneratedConfig();
  config.request.mutable_chat()->add_messages()->set_role("system");
  const v1::GenerateRequest request = LoadRequests(config).Make(0).request;
  ASSERT_EQ(request.chat().messages_size(), 2);
  EXPECT_EQ(request.chat().messages(1).role(), "user");
  EXPECT_GE(request.chat().messages(1).content().size(), 100u);
}

TEST(LoadRequestsTest, AShareIsToBeCancelledEvenlyOverTheTime) {
  LoadRequests::Config config;
  config.cancel_share = 0.3;
  config.cancel_within = absl::Seconds(2);
  const LoadRequests requests(config);
  int cancelled = 0;
  int in_first_half = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::optional<absl::Duration> after = requests.Make(i).cancel_after;
    if (!after) continue;
    ++cancelled;
    EXPECT_GE(*after, absl::ZeroDuration());
    EXPECT_LT(*after, absl::Seconds(2));
    if (*after < absl::Seconds(1)) ++in_first_half;
  }
  EXPECT_NEAR(cancelled, 3000, 150);
  EXPECT_NEAR(in_first_half, cancelled / 2, 100);
}

}  // namespace
}  // namespace windowkv::client
