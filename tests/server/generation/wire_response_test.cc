#include "server/generation/wire_response.h"

#include <string>

#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_engine.h"

namespace windowkv {
namespace {

// Fails unless `message` is what `text`, in protobuf's text format, says.
template <typename Message>
void ExpectMessage(const Message& message, const std::string& text) {
  Message expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &expected));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(message, expected))
      << message.DebugString();
}

TEST(WireResponseTest, AcceptedSaysWhatTheOptionsCameTo) {
  const auto events = testing::ShortAnswer();
  ExpectMessage(ToWire(std::get<AcceptedEvent>(events[0]), "r1"), R"(
    accepted {
      request_id: "r1"
      task { task: TASK_AGGREGATION confidence: 0.75 fallback_reason: "no verdict" }
      cache {
        policy: CACHE_POLICY_WINDOWKV budget_tokens: 256 window_size: 8 shared_layers: 2
        observation_tokens: 16 beta: 4 strategy: STRATEGY_MEAN
        accounting: BUDGET_ACCOUNTING_TOTAL sink_tokens: 4 pinned { begin: 10 end: 20 }
      }
      prompt_tokens: 1000
    })");
}

TEST(WireResponseTest, ProgressAndChunksAreWholesale) {
  const auto events = testing::ShortAnswer();
  ExpectMessage(ToWire(std::get<ProgressEvent>(events[1])),
                "progress { layers_done: 2 layers_total: 4 }");
  ExpectMessage(ToWire(std::get<ChunkEvent>(events[2])), R"(
    chunk {
      text: "Hello" token_ids: 72
      logprobs {
        chosen { token_id: 72 logprob: -0.5 text: "H" }
        top { token_id: 72 logprob: -0.5 text: "H" }
        top { token_id: 73 logprob: -1.5 text: "I" }
      }
    })");
}

TEST(WireResponseTest, FinishedCarriesUsageAndReceipt) {
  const auto events = testing::ShortAnswer();
  ExpectMessage(ToWire(std::get<FinishedEvent>(events[4])), R"(
    finished {
      finish_reason: FINISH_REASON_STOP
      matched_stop: "!"
      usage {
        prompt_tokens: 1000 completion_tokens: 2
        queued { nanos: 1000000 } prefill { seconds: 1 nanos: 500000000 }
        decode { nanos: 3000000 } time_to_first_token { seconds: 1 nanos: 501000000 }
      }
      receipt {
        policy: CACHE_POLICY_WINDOWKV
        groups {
          first_layer: 0 num_layers: 2 budget_tokens: 300 kept_tokens: 296
          kept_ranges { begin: 0 end: 4 } kept_ranges { begin: 100 end: 392 }
        }
        groups { first_layer: 2 num_layers: 2 budget_tokens: 212 kept_tokens: 212 }
        bytes_full: 4000 bytes_kept: 1000 bytes_prefill_peak: 2000
        task: TASK_AGGREGATION task_confidence: 0.75 fallback_reason: "no verdict"
        strategy: STRATEGY_TOP_HALF_MEAN
        selection_time { nanos: 4000000 }
      }
    })");
}

TEST(WireResponseTest, HeadsThatKeptDifferentTokensAreListedOneByOne) {
  FinishedEvent event = std::get<FinishedEvent>(testing::ShortAnswer()[4]);
  event.receipt.policy = CachePolicy::kSnapKv;
  event.receipt.strategy = std::nullopt;
  event.receipt.groups = {{0, 1, 5, 5, {{{{0, 5}}, {{0, 1}, {3, 7}}}}}};
  const v1::Receipt receipt = ToWire(event).finished().receipt();
  EXPECT_EQ(receipt.policy(), v1::CACHE_POLICY_SNAPKV);
  EXPECT_EQ(receipt.strategy(), v1::STRATEGY_UNSPECIFIED);
  EXPECT_TRUE(receipt.groups(0).kept_ranges().empty());
  ASSERT_EQ(receipt.groups(0).kept_by_head_size(), 2);
  EXPECT_EQ(receipt.groups(0).kept_by_head(1).ranges(1).end(), 7);
}

TEST(WireResponseTest, ModelInfoTellsTheLimits) {
  testing::FakeEngine engine;
  engine.info.cache_rules.limits.budget_tokens = 700;
  engine.info.cache_rules.limits.pinned_spans = 3;
  const v1::CacheLimits limits = ToWire(engine.info)->cache_limits();
  EXPECT_EQ(limits.budget_tokens(), 700);
  EXPECT_EQ(limits.shared_layers(), 4);
  EXPECT_EQ(limits.pinned_spans(), 3);
  engine.info.cache_rules.limits.budget_tokens = 0;
  EXPECT_EQ(ToWire(engine.info)->cache_limits().budget_tokens(), 4096);
}

TEST(WireResponseTest, ModelInfoResolvesTheDefaults) {
  testing::FakeEngine engine;
  engine.info.cache_rules.defaults.budget_tokens = 512;
  engine.info.sampling_defaults.temperature = 0.5f;
  const auto wire = ToWire(engine.info);
  ASSERT_TRUE(wire.ok()) << wire.status();
  EXPECT_EQ(wire->name(), "fake");
  EXPECT_EQ(wire->num_kv_heads(), 2);
  EXPECT_EQ(wire->context_length(), 4096);
  EXPECT_EQ(wire->chat_template(), "llama3");
  EXPECT_EQ(wire->default_cache().policy(), v1::CACHE_POLICY_FULL);
  EXPECT_EQ(wire->default_cache().budget_tokens(), 512);
  EXPECT_EQ(wire->default_cache().accounting(), v1::BUDGET_ACCOUNTING_TOTAL);
  EXPECT_EQ(wire->default_cache().shared_layers(), 1);  // a quarter of the layers
  EXPECT_EQ(wire->default_cache().strategy(), v1::STRATEGY_AUTO);
  EXPECT_EQ(wire->default_task(), v1::TASK_LOCALIZATION);
  EXPECT_EQ(wire->default_task_mapping(), v1::TASK_MAPPING_PAPER);
  EXPECT_EQ(wire->default_sampling().temperature(), 0.5f);
}

TEST(WireResponseTest, LoadSaysWhatIsFree) {
  ExpectMessage(ToWire(EngineLoad{60, 64, 3, 2, true}),
                "free_kv_blocks: 60 total_kv_blocks: 64 running: 3 waiting: 2 accepting: true");
}

}  // namespace
}  // namespace windowkv
