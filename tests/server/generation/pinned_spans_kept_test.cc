#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/generation/pinned_requests.h"

// Pinned spans from the wire to what the cache keeps, under every policy that drops tokens.

namespace windowkv {
namespace {

using testing::ChatRequest;
using testing::LiveServerTest;
using testing::NameOf;
using testing::PinCharacters;
using testing::PinMessage;
using testing::PinTokens;
using testing::Reply;
using testing::TextRequest;
using testing::TokensRequest;

bool Holds(const google::protobuf::RepeatedPtrField<v1::TokenRange>& ranges,
           const v1::TokenRange& inner) {
  return std::any_of(ranges.begin(), ranges.end(), [&inner](const v1::TokenRange& range) {
    return range.begin() <= inner.begin() && inner.end() <= range.end();
  });
}

// That every head of every layer kept the pinned tokens, and that the budget made them drop others.
void ExpectKept(const Reply& reply) {
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_GT(reply.finished->receipt().groups_size(), 0);
  for (const v1::Receipt::Group& group : reply.finished->receipt().groups()) {
    EXPECT_LT(group.kept_tokens(), reply.accepted->prompt_tokens());
    for (const v1::TokenRange& pinned : reply.accepted->cache().pinned()) {
      EXPECT_TRUE(!group.kept_by_head().empty() || Holds(group.kept_ranges(), pinned));
      for (const v1::Receipt::HeadRanges& head : group.kept_by_head()) {
        EXPECT_TRUE(Holds(head.ranges(), pinned));
      }
    }
  }
}

constexpr v1::CachePolicy kPolicies[] = {v1::CACHE_POLICY_WINDOWKV, v1::CACHE_POLICY_STREAMING_LLM,
                                         v1::CACHE_POLICY_SNAPKV, v1::CACHE_POLICY_PYRAMIDKV,
                                         v1::CACHE_POLICY_H2O};

class PinnedSpansTest : public LiveServerTest,
                        public ::testing::WithParamInterface<v1::CachePolicy> {
 protected:
  // Under a budget much smaller than the prompt.
  static Reply Run(v1::GenerateRequest request) {
    request.mutable_cache()->set_policy(GetParam());
    request.mutable_cache()->set_budget_tokens(100);
    request.set_echo_kept_ranges(true);
    return server_->Generate(request);
  }

  static std::vector<std::string> Pieces(const v1::GenerateRequest& request) {
    v1::TokenizeRequest tokenize;
    if (request.has_chat()) {
      *tokenize.mutable_chat() = request.chat();
    } else {
      tokenize.set_text(request.text());
    }
    const v1::TokenizeResponse response = server_->Tokenize(tokenize);
    return {response.tokens().begin(), response.tokens().end()};
  }

  static std::string Spell(const std::vector<std::string>& pieces, int32_t begin, int32_t end) {
    std::string text;
    for (int32_t i = begin; i < end; ++i) text += pieces[i];
    return text;
  }
};

// Words the tokenizer does not join with what stands beside them.
std::string Filler(int words) {
  std::string text;
  for (int i = 0; i < words; ++i) absl::StrAppend(&text, i == 0 ? "The" : " the", " river ran");
  return text;
}

TEST_P(PinnedSpansTest, TokensAreKept) {
  v1::GenerateRequest request = TokensRequest(300);
  PinTokens(&request, 60, 70);
  PinTokens(&request, 70, 75);
  PinTokens(&request, 140, 141);
  const Reply reply = Run(request);
  ExpectKept(reply);
  const auto& pinned = reply.accepted->cache().pinned();
  ASSERT_EQ(pinned.size(), 2);
  EXPECT_EQ(pinned[0].begin(), 60);
  EXPECT_EQ(pinned[0].end(), 75);
  EXPECT_EQ(pinned[1].begin(), 140);
  EXPECT_EQ(pinned[1].end(), 141);
}

TEST_P(PinnedSpansTest, CharactersAreKeptByTheTokensThatHoldThem) {
  // Characters of one to four bytes before, in and after what is pinned.
  const std::string before = Filler(40) + " é€🌶";
  const std::string wanted = " crème brûlée 25 € 日本 🌶";
  const std::string after = " für alle. " + Filler(40);
  const auto characters = [](const std::string& text) {
    return static_cast<int32_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  };
  v1::GenerateRequest request = TextRequest(before + wanted + after);
  PinCharacters(&request, characters(before), characters(before + wanted));
  const Reply reply = Run(request);
  ExpectKept(reply);
  ASSERT_EQ(reply.accepted->cache().pinned_size(), 1);
  const v1::TokenRange& pinned = reply.accepted->cache().pinned(0);
  // The pieces beside the pinned ones are those that the text before and after has alone.
  const std::vector<std::string> pieces = Pieces(request);
  const std::vector<std::string> head(pieces.begin(), pieces.begin() + pinned.begin());
  const std::vector<std::string> tail(pieces.begin() + pinned.end(), pieces.end());
  EXPECT_EQ(head, Pieces(TextRequest(before)));
  EXPECT_EQ(tail, Pieces(TextRequest(after)));
}

TEST_P(PinnedSpansTest, CharactersInsideAWordPinItsTokensOnly) {
  const std::string before = Filler(40);
  v1::GenerateRequest request = TextRequest(before + " 4711 " + Filler(40));
  const auto at = static_cast<int32_t>(before.size());
  PinCharacters(&request, at + 2, at + 4);  // "71"
  const Reply reply = Run(request);
  ExpectKept(reply);
  ASSERT_EQ(reply.accepted->cache().pinned_size(), 1);
  const v1::TokenRange& pinned = reply.accepted->cache().pinned(0);
  const std::vector<std::string> pieces = Pieces(request);
  EXPECT_TRUE(absl::StrContains(Spell(pieces, pinned.begin(), pinned.end()), "71"));
  EXPECT_FALSE(absl::StrContains(Spell(pieces, pinned.begin() + 1, pinned.end()), "71"));
  EXPECT_FALSE(absl::StrContains(Spell(pieces, pinned.begin(), pinned.end() - 1), "71"));
  EXPECT_LE(Spell(pieces, 0, pinned.begin()).size(), before.size() + 2);
}

TEST_P(PinnedSpansTest, MessagesAndTheSystemPromptAreKeptWhole) {
  v1::GenerateRequest request = ChatRequest({{"system", "Answer in one word."},
                                             {"user", Filler(40)},
                                             {"user", "The code is 4711 €."},
                                             {"user", Filler(40)}});
  PinMessage(&request, 2);
  request.mutable_cache()->set_pin_system_prompt(true);
  const Reply reply = Run(request);
  ExpectKept(reply);
  const auto& pinned = reply.accepted->cache().pinned();
  ASSERT_EQ(pinned.size(), 2);
  const std::vector<std::string> pieces = Pieces(request);
  EXPECT_EQ(Spell(pieces, pinned[0].begin(), pinned[0].end()),
            "<|start_header_id|>system<|end_header_id|>\n\nAnswer in one word.<|eot_id|>");
  const std::string second = Spell(pieces, pinned[1].begin(), pinned[1].end());
  EXPECT_TRUE(
      absl::StartsWith(second, "<|start_header_id|>user<|end_header_id|>\n\nThe code is 4711"))
      << second;
  EXPECT_EQ(pieces[pinned[1].end() - 1], "<|eot_id|>");
  EXPECT_EQ(std::count(pieces.begin() + pinned[1].begin(), pieces.begin() + pinned[1].end(),
                       "<|eot_id|>"),
            1);
}

TEST_P(PinnedSpansTest, MoreThanTheBudgetIsRefusedWithBothNumbers) {
  v1::GenerateRequest request = TokensRequest(300, GetParam());
  request.mutable_cache()->set_sink_tokens(0);
  PinTokens(&request, 10, 160);
  request.mutable_cache()->set_budget_tokens(100);
  const Reply reply = server_->Generate(request);
  EXPECT_EQ(reply.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(reply.status), "cache.budget_tokens");
  EXPECT_THAT(std::string(reply.status.message()),
              ::testing::AllOf(::testing::HasSubstr("comes to 100 tokens per layer"),
                               ::testing::HasSubstr("pinned spans 150")));
  EXPECT_FALSE(reply.accepted.has_value());
}

INSTANTIATE_TEST_SUITE_P(Policies, PinnedSpansTest, ::testing::ValuesIn(kPolicies),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace windowkv
