#include "client/command_line/request_flags.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace windowkv::client {
namespace {

struct Parsed {
  bool ok = false;
  v1::GenerateRequest request;
};

Parsed Parse(std::vector<std::string> arguments, const std::string& standard_input = "") {
  CLI::App app;
  RequestFlags flags;
  AddRequestFlags(&app, &flags);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError&) {
    return {};
  }
  std::istringstream in(standard_input);
  auto request = BuildRequest(flags, in);
  if (!request.ok()) return {};
  return {.ok = true, .request = *std::move(request)};
}

struct Case {
  std::string name;
  std::vector<std::string> arguments;
  std::string expected;  // GenerateRequest in protobuf text format
};

class RequestFlagsTest : public ::testing::TestWithParam<Case> {};

TEST_P(RequestFlagsTest, FlagsBecomeTheFieldsOfTheirNames) {
  v1::GenerateRequest expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(GetParam().expected, &expected));
  const Parsed parsed = Parse(GetParam().arguments);
  ASSERT_TRUE(parsed.ok);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(parsed.request, expected))
      << parsed.request.DebugString();
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"Text", {"--prompt", "hi"}, "text: 'hi'"},
      {"TextThatLooksLikeAFlag", {"--prompt", "--chat"}, "text: '--chat'"},
      {"EmptyText", {"--prompt", ""}, "text: ''"},
      {"TextInBrackets", {"--prompt", "[a, b]"}, "text: '[a, b]'"},
      {"Chat", {"--prompt", "hi", "--chat"}, "chat { messages { role: 'user' content: 'hi' } }"},
      {"ChatWithSystem",
       {"--prompt", "hi", "--chat", "--system", "be brief"},
       "chat { messages { role: 'system' content: 'be brief' } "
       "messages { role: 'user' content: 'hi' } }"},
      {"TokenIds", {"--token-ids", "1,2,3"}, "token_ids { ids: 1 ids: 2 ids: 3 }"},
      {"Identity",
       {"--prompt", "a", "--request-id", "r1", "--task", "aggregation"},
       "text: 'a' request_id: 'r1' task: TASK_AGGREGATION"},
      {"Cache",
       {"--prompt",
        "a",
        "--policy",
        "windowkv",
        "--budget-tokens",
        "256",
        "--window-size",
        "8",
        "--shared-layers",
        "2",
        "--observation-tokens",
        "16",
        "--beta",
        "14",
        "--strategy",
        "top_half_mean",
        "--task-mapping",
        "reference",
        "--accounting",
        "review_only",
        "--sink-tokens",
        "0",
        "--pinned",
        "0:32",
        "--pinned",
        "40:41",
        "--echo-kept-ranges"},
       "text: 'a' echo_kept_ranges: true cache { policy: CACHE_POLICY_WINDOWKV budget_tokens: 256 "
       "window_size: 8 shared_layers: 2 observation_tokens: 16 beta: 14 "
       "strategy: STRATEGY_TOP_HALF_MEAN task_mapping: TASK_MAPPING_REFERENCE "
       "accounting: BUDGET_ACCOUNTING_REVIEW_ONLY sink_tokens: 0 "
       "pinned { tokens { begin: 0 end: 32 } } pinned { tokens { begin: 40 end: 41 } } }"},
      {"PinnedCharacters",
       {"--prompt", "a", "--pinned-characters", "3:9", "--pinned-characters", "12:13"},
       "text: 'a' cache { pinned { characters { begin: 3 end: 9 } } "
       "pinned { characters { begin: 12 end: 13 } } }"},
      {"PinnedMessages",
       {"--prompt", "a", "--chat", "--system", "s", "--pinned-message", "0", "--pinned-message",
        "1"},
       "chat { messages { role: 'system' content: 's' } messages { role: 'user' content: 'a' } } "
       "cache { pinned { message: 0 } pinned { message: 1 } }"},
      {"PinnedSystemPrompt",
       {"--prompt", "a", "--chat", "--system", "s", "--pin-system-prompt"},
       "chat { messages { role: 'system' content: 's' } messages { role: 'user' content: 'a' } } "
       "cache { pin_system_prompt: true }"},
      {"PolicyOfTwoWords",
       {"--prompt", "a", "--policy", "streaming_llm"},
       "text: 'a' cache { policy: CACHE_POLICY_STREAMING_LLM }"},
      {"BudgetBytes",
       {"--prompt", "a", "--budget-bytes", "5000000000"},
       "text: 'a' cache { budget_bytes: 5000000000 }"},
      {"BudgetFraction",
       {"--prompt", "a", "--budget-fraction", "0.25"},
       "text: 'a' cache { budget_fraction: 0.25 }"},
      {"EnumsIgnoreCase",
       {"--prompt", "a", "--policy", "FULL"},
       "text: 'a' cache { policy: CACHE_POLICY_FULL }"},
      {"Sampling",
       {"--prompt",
        "a",
        "--temperature",
        "0.5",
        "--top-k",
        "40",
        "--top-p",
        "0.75",
        "--min-p",
        "0.125",
        "--repetition-penalty",
        "1.5",
        "--presence-penalty",
        "-1",
        "--frequency-penalty",
        "-0.5",
        "--seed",
        "18446744073709551615",
        "--logit-bias",
        "7:-2.5",
        "--logit-bias",
        "9:3"},
       "text: 'a' sampling { temperature: 0.5 top_k: 40 top_p: 0.75 min_p: 0.125 "
       "repetition_penalty: 1.5 presence_penalty: -1 frequency_penalty: -0.5 "
       "seed: 18446744073709551615 logit_bias { key: 7 value: -2.5 } "
       "logit_bias { key: 9 value: 3 } }"},
      {"End",
       {"--prompt", "a", "--max-tokens", "32", "--min-tokens", "2", "--stop", "a,b", "--stop", "\n",
        "--stop-token-ids", "1,2", "--ignore-eos", "--logprobs", "0"},
       "text: 'a' sampling { max_tokens: 32 min_tokens: 2 stop: 'a,b' stop: '\\n' "
       "stop_token_ids: 1 stop_token_ids: 2 ignore_eos: true logprobs: 0 }"},
      {"OutOfRangeValuesAreTheServersToRefuse",
       {"--prompt", "a", "--temperature", "-1", "--window-size", "0"},
       "text: 'a' sampling { temperature: -1 } cache { window_size: 0 }"},
  };
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Table, RequestFlagsTest, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

TEST(RequestFlagsErrorTest, RefusesWhatCannotBecomeARequest) {
  const std::vector<std::vector<std::string>> bad = {
      {},
      {"--prompt", "a", "--prompt-file", "-"},
      {"--prompt", "a", "--token-ids", "1"},
      {"--token-ids", "1", "--chat"},
      {"--token-ids", "1,x"},
      {"--prompt", "a", "--system", "b"},
      {"--prompt", "a", "--policy", "lru"},
      {"--prompt", "a", "--policy", "unspecified"},
      {"--prompt", "a", "--task", ""},
      {"--prompt", "a", "--budget-tokens", "1", "--budget-fraction", "0.5"},
      {"--prompt", "a", "--pinned", "3"},
      {"--prompt", "a", "--pinned", "3:4:5"},
      {"--prompt", "a", "--pinned-characters", "x:3"},
      {"--prompt", "a", "--pinned-characters", "0:99999999999"},
      {"--prompt", "a", "--chat", "--pinned-message", "first"},
      {"--prompt", "a", "--pin-system-prompt", "2"},
      {"--prompt", "a", "--logit-bias", "a:1"},
      {"--prompt", "a", "--top-k", "99999999999"},
      {"--prompt", "a", "--seed", "-1"},
      {"--prompt", "\xff"},
      {"--prompt", "a", "--stop", "\xc3"},
      {"--prompt-file", "/nonexistent/file"},
  };
  for (const auto& arguments : bad) {
    EXPECT_FALSE(Parse(arguments).ok) << ::testing::PrintToString(arguments);
  }
}

TEST(RequestFlagsErrorTest, ReadsStandardInputWholeAndUnchanged) {
  const Parsed parsed = Parse({"--prompt-file", "-"}, "two\nlines, Zürich\n");
  ASSERT_TRUE(parsed.ok);
  EXPECT_EQ(parsed.request.text(), "two\nlines, Zürich\n");
}

}  // namespace
}  // namespace windowkv::client
