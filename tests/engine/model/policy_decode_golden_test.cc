#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/engine/model/loaded_model.h"
#include "tests/testing/policy_golden.h"

namespace windowkv {
namespace {

using nlohmann::json;

void ExpectKeptAsReference(const json& test, const SequenceKvCache& cache, size_t num_kv_heads) {
  int32_t layer = 0;
  for (size_t g = 0; g < cache.groups().size(); ++g) {
    const LayerGroup& group = cache.groups()[g];
    const KeptTokens& kept = cache.kept(static_cast<int32_t>(g));
    for (int32_t i = 0; i < group.num_layers; ++i, ++layer) {
      SCOPED_TRACE("layer " + std::to_string(layer));
      EXPECT_EQ(group.budget_tokens, test["layer_budgets"][layer]);
      if (!test["exact"].get<bool>()) continue;
      EXPECT_TRUE(testing::ForEachHead(kept.heads, num_kv_heads) ==
                  testing::ToHeadRanges(test["kept_ranges"][layer], num_kv_heads));
    }
  }
  EXPECT_EQ(layer, static_cast<int32_t>(test["layer_budgets"].size()));
}

TEST(PolicyDecodeGoldenTest, DecodingAfterEachPolicyEqualsThePlainReference) {
  const json golden = testing::ReadJson(testing::GoldenPath("policy_decode.json"));
  ASSERT_GE(golden["cases"].size(), 30u);
  for (const json& test : golden["cases"]) {
    SCOPED_TRACE(test["checkpoint"].get<std::string>() + " " + test["options"].dump());
    const std::vector<int32_t> prompt = testing::PromptOf(test);
    ASSERT_FALSE(prompt.empty());
    testing::LoadedModel model = testing::LoadModelOf(test);
    const auto config = testing::ResolvePolicyOptions(test["options"], model.config().num_layers,
                                                      static_cast<int32_t>(prompt.size()));
    ASSERT_TRUE(config.ok()) << config.status();
    const auto tokens = test["tokens"].get<std::vector<int32_t>>();
    EXPECT_EQ(model.Greedy(model.Prefill(prompt, *config), tokens.size()), tokens);
    ExpectKeptAsReference(test, model.cache(), static_cast<size_t>(model.config().num_kv_heads));
  }
}

}  // namespace
}  // namespace windowkv
