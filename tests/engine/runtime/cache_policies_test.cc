#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/cache_policy/policy.h"
#include "engine/kv_cache/kv_cache_manager.h"
#include "tests/engine/runtime/watched_engine.h"

// What the requests of every cache policy keep, through the whole engine.

namespace windowkv {
namespace {

using testing::Collect;
using testing::kLargePool;
using testing::kPolicies;
using testing::Outcome;

bool SelectsPerHead(CachePolicy policy) {
  return policy == CachePolicy::kSnapKv || policy == CachePolicy::kPyramidKv ||
         policy == CachePolicy::kH2o;
}

class CachePoliciesTest : public testing::WatchedEngineTest {
 protected:
  // What admission counts with, by the plan alone.
  int64_t PlannedBlocks(const AcceptedEvent& accepted, int32_t max_tokens) const {
    const ModelInfo& info = engine_->model_info();
    const KvCacheManager manager({info.num_layers, info.block_size, info.block_bytes, 1 << 20});
    return manager.Plan(accepted.cache, accepted.prompt_tokens, max_tokens)->blocks;
  }

  void ExpectReceiptHolds(const Outcome& outcome, int32_t budget) const {
    const ModelInfo& info = engine_->model_info();
    const Receipt& receipt = outcome.finished->receipt;
    const int32_t tokens = outcome.accepted->prompt_tokens;
    int64_t kept = 0;
    int64_t blocks = 0;
    int32_t layers = 0;
    for (const Receipt::Group& group : receipt.groups) {
      EXPECT_EQ(group.first_layer, layers);
      EXPECT_LE(group.kept_tokens, group.budget_tokens);
      layers += group.num_layers;
      kept += int64_t{group.num_layers} * group.kept_tokens;
      blocks +=
          int64_t{group.num_layers} * ((group.kept_tokens + info.block_size - 1) / info.block_size);
    }
    EXPECT_EQ(layers, info.num_layers);
    EXPECT_LE(kept, int64_t{budget} * info.num_layers);
    EXPECT_EQ(receipt.bytes_kept, blocks * info.block_bytes);
    const int64_t layer_bytes = tokens * info.block_bytes / info.block_size;
    EXPECT_LE(receipt.bytes_prefill_peak, receipt.bytes_kept + layer_bytes);
    EXPECT_GE(receipt.bytes_prefill_peak, std::max(receipt.bytes_kept, layer_bytes));
  }
};

TEST_F(CachePoliciesTest, EveryPolicyReadsTheExampleAndItsReceiptIsWhatTheEngineHeld) {
  constexpr int32_t kBudget = 256;
  constexpr int32_t kMaxTokens = 24;
  Start(kLargePool);
  const nlohmann::json question = testing::ReadJson(testing::GoldenPath("example_question.json"));
  const std::string prompt = ExampleDocument() + "\n\n" + question["question"].get<std::string>();
  const int64_t free = FreeBlocks();
  for (CachePolicy policy : kPolicies) {
    SCOPED_TRACE(PolicyOf(policy).name());
    const Outcome outcome = Run(Chat(prompt, policy, kMaxTokens, kBudget));
    ASSERT_TRUE(outcome.finished.has_value()) << outcome.status;
    const Receipt& receipt = outcome.finished->receipt;
    EXPECT_EQ(receipt.policy, policy);
    const bool is_full = policy == CachePolicy::kFull;
    ExpectReceiptHolds(outcome, is_full ? outcome.accepted->prompt_tokens : kBudget);
    EXPECT_EQ(receipt.bytes_kept, metrics_.seen().held_after_prompt);
    EXPECT_EQ(free - metrics_.seen().free_after_prompt,
              PlannedBlocks(*outcome.accepted, kMaxTokens));
    EXPECT_EQ(FreeBlocks(), free);
    if (is_full) {
      EXPECT_EQ(receipt.bytes_kept, receipt.bytes_full);
    } else {
      EXPECT_LT(receipt.bytes_kept * 20, receipt.bytes_full);
    }
    // STREAMING_LLM drops the middle of the document, where the answer is.
    if (policy != CachePolicy::kStreamingLlm) {
      EXPECT_EQ(outcome.text, question["answer"].get<std::string>());
    }
  }
}

TEST_F(CachePoliciesTest, RequestsOfAllPoliciesInOneBatchGiveTheTextTheyGiveAlone) {
  Start(kLargePool);
  const std::string text = ExampleDocument().substr(0, 1500);
  std::vector<GenerationRequest> requests;
  for (int32_t i = 0; i < 12; ++i) {
    const CachePolicy policy = kPolicies[i % std::size(kPolicies)];
    GenerationRequest request =
        Chat(text.substr(50 * i) + "\n\nWhat is the access code?", policy, 20, 40 + 13 * i);
    request.sampling.ignore_eos = true;
    if (policy == CachePolicy::kWindowKv) {
      request.cache.window_size = 2 + i;
      request.cache.shared_layers = 1 + i % num_layers();
    }
    requests.push_back(std::move(request));
  }
  std::vector<Outcome> alone;
  for (const GenerationRequest& request : requests) alone.push_back(Run(request));
  EXPECT_EQ(metrics_.seen().most_decoded, 1);

  std::vector<std::shared_ptr<TokenStream>> streams;
  for (const GenerationRequest& request : requests) streams.push_back(Submit(request));
  for (size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("request ", i));
    const Outcome together = Collect(*streams[i]);
    ASSERT_TRUE(together.finished.has_value()) << together.status;
    EXPECT_EQ(together.tokens.size(), 20u);
    EXPECT_EQ(together.tokens, alone[i].tokens);
    EXPECT_EQ(together.text, alone[i].text);
    EXPECT_EQ(together.finished->receipt.bytes_kept, alone[i].finished->receipt.bytes_kept);
  }
  EXPECT_GT(metrics_.seen().most_decoded, 2);
}

TEST_F(CachePoliciesTest, ReceiptsEchoOneListOfRangesOrOneForEachKvHead) {
  Start(kLargePool);
  const int32_t num_kv_heads = engine_->model_info().num_kv_heads;
  const std::string text = ExampleDocument().substr(0, 2000);
  for (CachePolicy policy : kPolicies) {
    SCOPED_TRACE(PolicyOf(policy).name());
    GenerationRequest request = Chat(text, policy, 2, 80);
    request.echo_kept_ranges = true;
    const Outcome outcome = Run(request);
    ASSERT_TRUE(outcome.finished.has_value()) << outcome.status;
    for (const Receipt::Group& group : outcome.finished->receipt.groups) {
      EXPECT_EQ(group.kept.heads.size(), SelectsPerHead(policy) ? num_kv_heads : 1u);
      for (const std::vector<TokenRange>& ranges : group.kept.heads) {
        EXPECT_EQ(CountTokens(ranges), group.kept_tokens);
        EXPECT_LE(ranges.back().end, outcome.accepted->prompt_tokens);
      }
    }
    request.echo_kept_ranges = false;
    const Outcome silent = Run(request);
    ASSERT_TRUE(silent.finished.has_value()) << silent.status;
    for (const Receipt::Group& group : silent.finished->receipt.groups) {
      EXPECT_TRUE(group.kept.heads.empty());
    }
  }
}

}  // namespace
}  // namespace windowkv
