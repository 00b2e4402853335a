#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/generation/pinned_requests.h"

// Pinned spans that a server refuses.

namespace windowkv {
namespace {

using testing::ChatRequest;
using testing::LiveServerTest;
using testing::PinCharacters;
using testing::PinMessage;
using testing::PinTokens;
using testing::Refusal;
using testing::TextRequest;
using testing::TokensRequest;

using Change = std::function<void(v1::GenerateRequest*)>;

Refusal Tokens(std::string name, const Change& pin, std::string field, std::string message) {
  Refusal refusal{std::move(name), TokensRequest(20, v1::CACHE_POLICY_STREAMING_LLM),
                  std::move(field), std::move(message)};
  pin(&refusal.request);
  return refusal;
}

// Thirteen characters.
Refusal Text(std::string name, const Change& pin, std::string field, std::string message) {
  Refusal refusal{std::move(name), TextRequest("Café at 25 €!"), std::move(field),
                  std::move(message)};
  pin(&refusal.request);
  return refusal;
}

Refusal Chat(std::string name, const Change& pin, std::string field, std::string message) {
  Refusal refusal{std::move(name), ChatRequest({{"user", "Hello"}, {"assistant", "Hi"}}),
                  std::move(field), std::move(message)};
  pin(&refusal.request);
  return refusal;
}

struct Range {
  std::string label;
  int32_t begin;
  int32_t end;

  std::string Says() const { return absl::StrCat("is [", begin, ", ", end, "), must "); }
};

std::vector<Refusal> BadRanges() {
  std::vector<Refusal> refusals;
  for (const Range& range : std::vector<Range>{{"Empty", 5, 5},
                                               {"EmptyAtZero", 0, 0},
                                               {"Reversed", 7, 5},
                                               {"Negative", -1, 5},
                                               {"WidestReversed", INT32_MAX, 0},
                                               {"Widest", INT32_MIN, INT32_MAX}}) {
    const std::string message = range.Says() + "be a non-empty range inside [0, ";
    refusals.push_back(Tokens(
        "Tokens" + range.label, [range](auto* r) { PinTokens(r, range.begin, range.end); },
        "cache.pinned[0].tokens", message));
    refusals.push_back(Text(
        "Characters" + range.label, [range](auto* r) { PinCharacters(r, range.begin, range.end); },
        "cache.pinned[0].characters", message));
  }
  return refusals;
}

std::vector<Refusal> BadSecondRanges() {
  std::vector<Refusal> refusals;
  for (const Range& range :
       std::vector<Range>{{"Overlapping", 4, 8}, {"Repeated", 2, 5}, {"Unsorted", 0, 1}}) {
    const std::string message = range.Says() + "not begin before the end 5 of the range before it";
    refusals.push_back(Tokens(
        "Tokens" + range.label,
        [range](auto* r) {
          PinTokens(r, 2, 5);
          PinTokens(r, range.begin, range.end);
        },
        "cache.pinned[1].tokens", message));
    refusals.push_back(Text(
        "Characters" + range.label,
        [range](auto* r) {
          PinCharacters(r, 2, 5);
          PinCharacters(r, range.begin, range.end);
        },
        "cache.pinned[1].characters", message));
  }
  return refusals;
}

std::vector<Refusal> OutsideThePrompt() {
  using Request = v1::GenerateRequest;
  return {
      Tokens(
          "TokensPastThePrompt", [](Request* r) { PinTokens(r, 10, 21); }, "cache.pinned[0].tokens",
          "is [10, 21), must be a non-empty range inside [0, 20), the prompt's tokens"),
      Tokens(
          "TokensPastTheContext", [](Request* r) { PinTokens(r, 0, INT32_MAX); },
          "cache.pinned[0].tokens",
          "is [0, 2147483647), must be a non-empty range inside [0, 8192)"),
      Text(
          "CharactersPastTheText", [](Request* r) { PinCharacters(r, 12, 14); },
          "cache.pinned[0].characters",
          "is [12, 14), must be a non-empty range inside [0, 13), the text's characters"),
      Text(
          "CharactersFarPastTheText", [](Request* r) { PinCharacters(r, 0, INT32_MAX); },
          "cache.pinned[0].characters", "inside [0, 13), the text's characters"),
      Chat(
          "MessagePastTheLast", [](Request* r) { PinMessage(r, 2); }, "cache.pinned[0].message",
          "is 2, must be in [0, 1]"),
      Chat(
          "GreatestMessage", [](Request* r) { PinMessage(r, INT32_MAX); },
          "cache.pinned[0].message", "is 2147483647, must be in [0, 1]"),
      Chat(
          "NegativeMessage", [](Request* r) { PinMessage(r, -1); }, "cache.pinned[0].message",
          "is -1, must be at least 0"),
      Chat(
          "RepeatedMessage",
          [](Request* r) {
            PinMessage(r, 1);
            PinMessage(r, 1);
          },
          "cache.pinned[1].message", "is 1, must be at least 2"),
      Chat(
          "MessagesUnsorted",
          [](Request* r) {
            PinMessage(r, 1);
            PinMessage(r, 0);
          },
          "cache.pinned[1].message", "is 0, must be at least 2"),
  };
}

std::vector<Refusal> OfTheWrongKind() {
  using Request = v1::GenerateRequest;
  const auto pin_system = [](Request* r) { r->mutable_cache()->set_pin_system_prompt(true); };
  const auto characters = [](Request* r) { PinCharacters(r, 0, 1); };
  const auto message = [](Request* r) { PinMessage(r, 0); };
  const auto add_spans = [](int count) {
    return [count](Request* r) {
      for (int i = 0; i < count; ++i) PinTokens(r, i, i + 1);
    };
  };
  const std::string system_only = "applies to a chat with a system message only";
  return {
      Tokens("CharactersOfTokens", characters, "cache.pinned[0].characters",
             "applies to a text prompt only"),
      Chat("CharactersOfAChat", characters, "cache.pinned[0].characters",
           "applies to a text prompt only"),
      Tokens("MessageOfTokens", message, "cache.pinned[0].message",
             "applies to a chat prompt only"),
      Text("MessageOfAText", message, "cache.pinned[0].message", "applies to a chat prompt only"),
      Tokens("SystemPromptOfTokens", pin_system, "cache.pin_system_prompt", system_only),
      Text("SystemPromptOfAText", pin_system, "cache.pin_system_prompt", system_only),
      Chat("SystemPromptOfAChatWithoutOne", pin_system, "cache.pin_system_prompt", system_only),
      Tokens(
          "NoSpan",
          [](Request* r) {
            PinTokens(r, 0, 1);
            r->mutable_cache()->add_pinned();
          },
          "cache.pinned[1].span", "is not set, must be tokens, characters or message"),
      Tokens("TooMany", add_spans(65), "cache.pinned", "has 65 spans, must have at most 64"),
      Tokens("FarTooMany", add_spans(5000), "cache.pinned", "has 5000 spans, must have at most 64"),
  };
}

class BadPinnedSpanTest : public LiveServerTest, public ::testing::WithParamInterface<Refusal> {};

TEST_P(BadPinnedSpanTest, IsRefusedNamingTheSpan) { ExpectRefused(server_.get(), GetParam()); }

const auto kNameOfRefusal = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Ranges, BadPinnedSpanTest, ::testing::ValuesIn(BadRanges()),
                         kNameOfRefusal);
INSTANTIATE_TEST_SUITE_P(SecondRanges, BadPinnedSpanTest, ::testing::ValuesIn(BadSecondRanges()),
                         kNameOfRefusal);
INSTANTIATE_TEST_SUITE_P(Outside, BadPinnedSpanTest, ::testing::ValuesIn(OutsideThePrompt()),
                         kNameOfRefusal);
INSTANTIATE_TEST_SUITE_P(Kinds, BadPinnedSpanTest, ::testing::ValuesIn(OfTheWrongKind()),
                         kNameOfRefusal);

}  // namespace
}  // namespace windowkv
