#include "engine/model/llama_model.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "engine/kv_cache/kv_cache_manager.h"
#include "engine/kv_cache/kv_cache_store.h"
#include "tests/engine/model/loaded_model.h"
#include "tests/testing/golden_file.h"

namespace windowkv {
namespace {

using nlohmann::json;

constexpr float kLogitTolerance = 1e-4f;
constexpr float kBfloat16LogitTolerance = 0.15f;  // of logits up to 29

CacheConfig Full() { return CacheConfig{}; }

void ExpectLogits(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  float worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    worst = std::max(worst, std::abs(actual[i] - expected[i]));
  }
  EXPECT_LE(worst, kLogitTolerance);
}

std::vector<std::string> RandomCheckpoints() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(testing::GoldenPath("llama"))) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(LlamaModelGoldenTest, LogitsAndGreedyTokensOfRandomCheckpointsEqualTransformers) {
  const std::vector<std::string> names = RandomCheckpoints();
  ASSERT_GE(names.size(), 8u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string dir = testing::GoldenPath("llama/" + name);
    testing::LoadedModel model(dir);
    const json golden = testing::ReadJson(dir + "/golden.json");
    for (const json& prompt : golden["prompts"]) {
      const auto ids = prompt["input_ids"].get<std::vector<int32_t>>();
      SCOPED_TRACE(std::to_string(ids.size()) + " tokens");
      const std::vector<float> logits = model.Prefill(ids, Full());
      ExpectLogits(logits, prompt["last_logits"].get<std::vector<float>>());
      const auto greedy = prompt["greedy"].get<std::vector<int32_t>>();
      EXPECT_EQ(model.Greedy(logits, greedy.size()), greedy);
    }
  }
}

TEST(LlamaModelGoldenTest, DecodedLogitsOfEveryPositionEqualTransformers) {
  for (const std::string& name : RandomCheckpoints()) {
    SCOPED_TRACE(name);
    const std::string dir = testing::GoldenPath("llama/" + name);
    testing::LoadedModel model(dir);
    const json golden = testing::ReadJson(dir + "/golden.json");
    for (const json& prompt : golden["prompts"]) {
      if (!prompt.contains("all_logits")) continue;
      const auto ids = prompt["input_ids"].get<std::vector<int32_t>>();
      std::vector<float> logits = model.Prefill({ids[0]}, Full());
      for (size_t i = 0; i < ids.size(); ++i) {
        if (i > 0) logits = model.Decode(ids[i]);
        ExpectLogits(logits, prompt["all_logits"][i].get<std::vector<float>>());
      }
    }
  }
}

TEST(LlamaModelGoldenTest, TheTrainedStoriesModelEqualsItsReference) {
  const std::string dir = testing::FixturePath("stories260K-hf");
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not there";
  testing::LoadedModel model(dir);
  const json golden = testing::ReadJson(dir + "/golden.json");
  ASSERT_FALSE(golden.empty());
  for (const json& test : golden) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const auto ids = test["prompt_ids"].get<std::vector<int32_t>>();
    const auto greedy = test["greedy_ids"].get<std::vector<int32_t>>();
    const size_t count = std::min<size_t>(greedy.size(), 64);
    EXPECT_EQ(model.Greedy(model.Prefill(ids, Full()), count),
              std::vector<int32_t>(greedy.begin(), greedy.begin() + count));
  }
}

void ExpectTheDemoModelNearTransformers(at::ScalarType dtype, float tolerance) {
  testing::LoadedModel model(testing::SourceDir() + "/deploy/models/demo_llama",
                             /*chunk_rows=*/512, dtype);
  const json golden = testing::ReadJson(testing::GoldenPath("demo_llama.json"));
  for (const json& test : golden["cases"]) {
    SCOPED_TRACE(test["name"].get<std::string>());
    const std::vector<float> logits =
        model.Prefill(test["input_ids"].get<std::vector<int32_t>>(), Full());
    for (const json& entry : test["top_logits"]) {
      EXPECT_NEAR(logits[entry[0].get<size_t>()], entry[1].get<float>(), tolerance);
    }
    const auto greedy = test["greedy"].get<std::vector<int32_t>>();
    EXPECT_EQ(model.Greedy(logits, greedy.size()), greedy);
  }
}

TEST(LlamaModelGoldenTest, TheDemoModelEqualsTransformers) {
  ExpectTheDemoModelNearTransformers(at::kFloat, kLogitTolerance);
}

TEST(LlamaModelGoldenTest, TheDemoModelInBfloat16IsNearTransformersInFloat32) {
  ExpectTheDemoModelNearTransformers(at::kBFloat16, kBfloat16LogitTolerance);
}

// Where scores lie too close to one another for float32, other windows may have been chosen at the
// end of the order: two of them at most.
void ExpectNearlyTheSameTokens(const std::vector<TokenRange>& actual,
                               const std::vector<TokenRange>& expected, int32_t window_size) {
  const std::vector<int32_t> actual_tokens = Expand(actual);
  const std::vector<int32_t> expected_tokens = Expand(expected);
  std::vector<int32_t> shared;
  std::ranges::set_intersection(actual_tokens, expected_tokens, std::back_inserter(shared));
  EXPECT_NEAR(static_cast<double>(actual_tokens.size()),
              static_cast<double>(expected_tokens.size()), window_size);
  EXPECT_GE(shared.size() + 2 * static_cast<size_t>(window_size), expected_tokens.size());
}

TEST(LlamaModelGoldenTest, DecodingAfterWindowKvEqualsThePlainReference) {
  const json golden = testing::ReadJson(testing::GoldenPath("windowkv_decode.json"));
  ASSERT_FALSE(golden["cases"].empty());
  for (const json& test : golden["cases"]) {
    SCOPED_TRACE(test["checkpoint"].get<std::string>() + " " + test["options"].dump());
    testing::LoadedModel model = testing::LoadModelOf(test);
    const auto tokens = test["tokens"].get<std::vector<int32_t>>();
    const std::vector<float> logits =
        model.Prefill(testing::PromptOf(test), testing::ToCacheConfig(test["options"]));
    EXPECT_EQ(model.Greedy(logits, tokens.size()), tokens);
    for (size_t g = 0; g < test["groups"].size(); ++g) {
      EXPECT_EQ(model.cache().groups()[g].budget_tokens, test["groups"][g]["budget_tokens"]);
      const auto& kept = model.cache().kept(static_cast<int32_t>(g)).heads[0];
      const auto expected = testing::ToRanges(test["groups"][g]["kept_ranges"]);
      SCOPED_TRACE(g);
      if (test["exact"].get<bool>()) {
        EXPECT_TRUE(kept == expected);
      } else {
        ExpectNearlyTheSameTokens(kept, expected, model.cache().config().window_size);
      }
    }
  }
}

TEST(LlamaModelTest, LogitsOfARowDoNotDependOnTheBatch) {
  const std::string dir = testing::SourceDir() + "/deploy/models/demo_llama";
  for (at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Device device = testing::TestDevice();
    if (device.is_cuda() && dtype == at::kBFloat16) continue;  // see LlamaModel::Decode
    LlamaModel model =
        *LlamaModel::Load(dir, *LoadLlamaConfig(dir), at::TensorOptions(device).dtype(dtype));
    KvCacheStore store =
        *KvCacheStore::Create({model.config().num_layers, model.config().num_kv_heads,
                               model.config().head_dim, 16, int64_t{64} << 20, dtype, device});
    KvCacheManager manager(store.geometry());
    std::vector<SequenceKvCache> caches;
    std::vector<DecodeRow> rows;
    for (int32_t i = 0; i < 18; ++i) {
      const std::vector<int32_t> prompt(static_cast<size_t>(20 + 37 * (i / 2)), 100 + i / 2);
      const int32_t tokens = static_cast<int32_t>(prompt.size());
      const CachePlan plan = *manager.Plan(Full(), tokens, 8);
      caches.push_back(*manager.Admit(plan));
      PrefillState state = model.StartPrefill(prompt, plan);
      for (const PrefillSlice& slice :
           PlanPrefill(model.config(), tokens, plan.observed, /*chunk_rows=*/512)) {
        model.RunPrefillSlice(slice, state, store, caches.back());
      }
      rows.push_back({7 + i / 2, tokens, nullptr});
    }
    for (size_t i = 0; i < rows.size(); ++i) rows[i].cache = &caches[i];
    // Odd rows alone, their even twins together.
    std::vector<DecodeRow> together;
    for (size_t i = 0; i < rows.size(); i += 2) together.push_back(rows[i]);
    const at::Tensor batch = model.Decode(together, store).clone();
    for (size_t i = 0; i < together.size(); ++i) {
      const at::Tensor alone = model.Decode({rows[2 * i + 1]}, store);
      EXPECT_TRUE(alone[0].equal(batch[static_cast<int64_t>(i)])) << "row " << i;
    }
  }
}

TEST(LlamaModelTest, TokensThatAreReadWhereTheyLieGiveTheSameLogits) {
  const std::string dir = testing::SourceDir() + "/deploy/models/demo_llama";
  const at::Device device = testing::TestDevice();
  const at::TensorOptions options = at::TensorOptions(device).dtype(at::kFloat);
  LlamaModel model = *LlamaModel::Load(dir, *LoadLlamaConfig(dir), options);
  KvCacheStore store =
      *KvCacheStore::Create({model.config().num_layers, model.config().num_kv_heads,
                             model.config().head_dim, 16, int64_t{64} << 20, at::kFloat, device});
  KvCacheManager manager(store.geometry());
  constexpr int32_t kRows = 3;
  constexpr int32_t kSteps = 4;  // the first one of a batch is not a graph's
  const auto token = [](int32_t row, int32_t step) { return 50 + 31 * row + 7 * step; };
  const auto decode = [&](bool unread) {
    std::vector<SequenceKvCache> caches;
    for (int32_t i = 0; i < kRows; ++i) {
      const CachePlan plan = *manager.Plan(Full(), /*prompt_tokens=*/1, /*max_tokens=*/8);
      caches.push_back(*manager.Admit(plan));
    }
    std::vector<at::Tensor> logits;
    for (int32_t step = 0; step < kSteps; ++step) {
      // The first row's token is known, the others' stand in another order.
      at::Tensor ids = at::empty({kRows}, at::kInt);
      std::vector<DecodeRow> rows;
      for (int32_t i = 0; i < kRows; ++i) {
        const int32_t place = kRows - 1 - i;
        ids[place] = token(i, step);
        const bool late = unread && i > 0;
        rows.push_back({late ? 0 : token(i, step), step, &caches[static_cast<size_t>(i)],
                        late ? place : kKnownToken});
      }
      const at::Tensor on_device = ids.to(device);
      logits.push_back(model.Decode(rows, store, unread ? on_device : at::Tensor()).clone());
    }
    return logits;
  };
  const std::vector<at::Tensor> expected = decode(/*unread=*/false);
  const std::vector<at::Tensor> actual = decode(/*unread=*/true);
  for (size_t step = 0; step < kSteps; ++step) {
    EXPECT_TRUE(actual[step].equal(expected[step])) << "step " << step;
  }
}

}  // namespace
}  // namespace windowkv
