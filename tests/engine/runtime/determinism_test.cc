#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/engine/runtime/watched_engine.h"

// A request's tokens do not depend on what runs beside it.

namespace windowkv {
namespace {

using testing::Collect;
using testing::kPolicies;

class DeterminismTest : public testing::WatchedEngineTest {
 protected:
  // Of any policy, length, budget; greedy or seeded.
  static GenerationRequest RandomRequest(std::mt19937& random) {
    const CachePolicy policy = kPolicies[random() % std::size(kPolicies)];
    const auto tokens = static_cast<int32_t>(1 + random() % (random() % 4 == 0 ? 900 : 120));
    GenerationRequest request = Ids(tokens, policy, static_cast<int32_t>(1 + random() % 40),
                                    static_cast<int32_t>(64 + random() % 200));
    for (int32_t& id : std::get<PromptTokens>(request.prompt)) {
      id = static_cast<int32_t>(10 + random() % 4000);
    }
    if (random() % 2 == 0) {
      request.sampling.temperature = 0.9f;
      request.sampling.top_p = 0.95f;
      request.sampling.repetition_penalty = 1.1f;
      request.sampling.seed = random();
    }
    request.priority = static_cast<int32_t>(random() % 3);
    return request;
  }
};

TEST_F(DeterminismTest, RequestsGiveTheSameTokensAloneAndInRandomMixes) {
  Start(testing::kLargePool);
  std::mt19937 random(5);
  std::vector<GenerationRequest> requests;
  std::vector<std::vector<int32_t>> alone;
  for (int i = 0; i < 24; ++i) {
    requests.push_back(RandomRequest(random));
    alone.push_back(Run(requests.back()).tokens);
    ASSERT_FALSE(alone.back().empty());
  }
  for (int mix = 0; mix < 3; ++mix) {
    std::vector<size_t> order(requests.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    std::vector<std::shared_ptr<TokenStream>> streams;
    for (const size_t i : order) streams.push_back(Submit(requests[i]));
    for (size_t place = 0; place < order.size(); ++place) {
      EXPECT_EQ(Collect(*streams[place]).tokens, alone[order[place]])
          << "request " << order[place] << " in mix " << mix;
    }
  }
  EXPECT_GT(metrics_.seen().most_decoded, 4);
}

}  // namespace
}  // namespace windowkv
