#include "engine/runtime/pinned_spans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/status.h"
#include "tests/engine/text/checkpoint_files.h"
#include "tests/engine/text/listed_tokens.h"

namespace windowkv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

GenerationRequest RequestOf(Prompt prompt, std::vector<PinnedSpan> pinned) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.cache.pinned = std::move(pinned);
  return request;
}

GenerationRequest ChatWithSystemPinned(PromptChat chat) {
  GenerationRequest request = RequestOf(std::move(chat), {});
  request.cache.pin_system_prompt = true;
  return request;
}

// "The café at€5" behind a beginning-of-text token; é and € are each split between two tokens.
class PinnedCharactersTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<TokenRange>> Resolve(const PinnedCharacters& span,
                                                  const std::string& text = "The café at€5") const {
    return ResolvePinnedSpans(RequestOf(text, {span}), {{0, 1, 2, 3, 4, 5, 6}, {}}, tokens_);
  }

  const ListedTokens tokens_{{"<s>", "The ca", "f\xC3", "\xA9 at", "\xE2\x82", "\xAC", "5"}, false};
};

TEST_F(PinnedCharactersTest, AWholeTokenIsPinnedForAnyOfItsCharacters) {
  EXPECT_EQ(*Resolve({0, 6}), (std::vector<TokenRange>{{1, 2}}));
  EXPECT_EQ(*Resolve({0, 1}), (std::vector<TokenRange>{{1, 2}}));
  EXPECT_EQ(*Resolve({5, 6}), (std::vector<TokenRange>{{1, 2}}));
  EXPECT_EQ(*Resolve({6, 7}), (std::vector<TokenRange>{{2, 3}}));
  EXPECT_EQ(*Resolve({5, 7}), (std::vector<TokenRange>{{1, 3}}));
}

TEST_F(PinnedCharactersTest, AllTokensOfASplitCharacterArePinned) {
  EXPECT_EQ(*Resolve({7, 8}), (std::vector<TokenRange>{{2, 4}}));
  EXPECT_EQ(*Resolve({8, 9}), (std::vector<TokenRange>{{3, 4}}));
  EXPECT_EQ(*Resolve({11, 12}), (std::vector<TokenRange>{{4, 6}}));
  EXPECT_EQ(*Resolve({10, 12}), (std::vector<TokenRange>{{3, 6}}));
}

TEST_F(PinnedCharactersTest, TheWholeTextLeavesTheBeginningOfTextTokenOut) {
  EXPECT_EQ(*Resolve({0, 13}), (std::vector<TokenRange>{{1, 7}}));
  EXPECT_EQ(*Resolve({12, 13}), (std::vector<TokenRange>{{6, 7}}));
}

TEST_F(PinnedCharactersTest, TheEndOfTheTextIsCountedInCharactersNotBytes) {
  const absl::Status status = Resolve({12, 14}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), "cache.pinned[0].characters");
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("is [12, 14), must be a non-empty range inside [0, 13), the text's characters"));
}

TEST_F(PinnedCharactersTest, ATextThatTheTokenizerRewroteIsRefused) {
  const absl::Status status = Resolve({0, 3}, "the café at€5").status();
  EXPECT_EQ(FieldOf(status), "cache.pinned[0].characters");
  EXPECT_THAT(std::string(status.message()), HasSubstr("pin tokens instead"));
}

// Whether `range` is the shortest run of tokens that holds the bytes [begin, end) of the text which
// the tokens spell after the first `before` bytes.
bool IsShortestCover(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, size_t before,
                     const TokenRange& range, size_t begin, size_t end) {
  std::vector<size_t> borders = {0};
  for (const int32_t id : ids) borders.push_back(borders.back() + tokenizer.TokenBytes(id).size());
  const auto border = [&](int32_t token) {
    return borders[token] < before ? 0 : borders[token] - before;
  };
  return border(range.begin) <= begin && begin < border(range.begin + 1) &&
         border(range.end - 1) < end && end <= border(range.end);
}

TEST(PinnedSpansTest, RealTokenizersPinTheShortestRunOfTokens) {
  const std::vector<std::string> characters = {" ", "a", "t",  "h", "e",  "1",
                                               "é", "€", "日", "😀", "\n", "."};
  const auto byte_level = LoadTokenizer(DemoModelDir());
  const auto converted = LoadFrom(TokenizerGoldens()["sentencepiece"]);
  std::mt19937 random(7);
  for (const auto* loaded : {&byte_level, &converted}) {
    ASSERT_TRUE(loaded->ok()) << loaded->status();
    const Tokenizer& tokenizer = ***loaded;
    // The converted tokenizer begins every text with a space of its own.
    const size_t before = tokenizer.strips_leading_space() ? 1 : 0;
    for (int round = 0; round < 300; ++round) {
      std::string text;
      std::vector<size_t> offsets = {0};
      for (uint32_t i = 0, count = 1 + random() % 20; i < count; ++i) {
        text += characters[random() % characters.size()];
        offsets.push_back(text.size());
      }
      const auto last = static_cast<int32_t>(offsets.size()) - 1;
      const auto begin = static_cast<int32_t>(random() % last);
      const auto end = begin + 1 + static_cast<int32_t>(random() % (last - begin));
      const EncodedPrompt prompt{tokenizer.Encode(text, SpecialTokens::kParse), {}};
      const auto ranges =
          ResolvePinnedSpans(RequestOf(text, {PinnedCharacters{begin, end}}), prompt, tokenizer);
      ASSERT_TRUE(ranges.ok()) << ranges.status();
      ASSERT_EQ(ranges->size(), 1u);
      EXPECT_TRUE(IsShortestCover(tokenizer, prompt.ids, before, ranges->front(), offsets[begin],
                                  offsets[end]))
          << '"' << text << "\" [" << begin << ", " << end << ")";
    }
  }
}

TEST(PinnedSpansTest, TokensAreTakenAsTheyAreInsideThePrompt) {
  const ListedTokens tokens({"<s>", "a", "b"}, false);
  const EncodedPrompt prompt{{0, 1, 2}, {}};
  const PromptTokens ids = {0, 1, 2};
  EXPECT_THAT(
      *ResolvePinnedSpans(RequestOf(ids, {TokenRange{0, 1}, TokenRange{2, 3}}), prompt, tokens),
      ElementsAre(TokenRange{0, 1}, TokenRange{2, 3}));
  const absl::Status status =
      ResolvePinnedSpans(RequestOf(ids, {TokenRange{0, 1}, TokenRange{2, 4}}), prompt, tokens)
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), "cache.pinned[1].tokens");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("is [2, 4), must be a non-empty range inside [0, 3), the prompt's tokens"));
}

class PinnedMessagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto tokenizer = RequestTokenizer::Create(DemoModelDir(), 4096);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_.emplace(*std::move(tokenizer));
  }

  std::vector<TokenRange> Resolve(const GenerationRequest& request) {
    EXPECT_TRUE(CheckPinnedSpans(request).ok()) << CheckPinnedSpans(request);
    const EncodedPrompt prompt = *tokenizer_->Encode(request.prompt);
    return *ResolvePinnedSpans(request, prompt, tokenizer_->tokenizer());
  }
  std::string TextOf(const Prompt& prompt, const TokenRange& range) {
    const EncodedPrompt encoded = *tokenizer_->Encode(prompt);
    std::string text;
    for (int32_t i = range.begin; i < range.end; ++i) {
      text += tokenizer_->tokenizer().TokenBytes(encoded.ids[i]);
    }
    return text;
  }

  const PromptChat chat_ = {{"system", "Answer in French."},
                            {"user", "Where is the café?"},
                            {"assistant", "Là."},
                            {"system", "Now in English."},
                            {"user", "And the 🌶?"}};
  std::optional<RequestTokenizer> tokenizer_;
};

TEST_F(PinnedMessagesTest, AMessageIsPinnedWithItsHeaderAndItsEnd) {
  const auto ranges = Resolve(RequestOf(chat_, {PinnedMessage{1}, PinnedMessage{4}}));
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(TextOf(chat_, ranges[0]),
            "<|start_header_id|>user<|end_header_id|>\n\nWhere is the café?<|eot_id|>");
  EXPECT_EQ(TextOf(chat_, ranges[1]),
            "<|start_header_id|>user<|end_header_id|>\n\nAnd the 🌶?<|eot_id|>");
}

TEST_F(PinnedMessagesTest, TheSystemPromptIsEverySystemMessage) {
  const auto ranges = Resolve(ChatWithSystemPinned(chat_));
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(TextOf(chat_, ranges[0]),
            "<|start_header_id|>system<|end_header_id|>\n\nAnswer in French.<|eot_id|>");
  EXPECT_EQ(TextOf(chat_, ranges[1]),
            "<|start_header_id|>system<|end_header_id|>\n\nNow in English.<|eot_id|>");
}

TEST_F(PinnedMessagesTest, MessagesTokensAndTheSystemPromptGoTogether) {
  GenerationRequest request = ChatWithSystemPinned({{"system", "Be brief."}, {"user", "Hello"}});
  request.cache.pinned = {PinnedMessage{0}, TokenRange{0, 1}};
  const auto ranges = Resolve(request);
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[1], (TokenRange{0, 1}));
  EXPECT_EQ(ranges[0], ranges[2]);
}

// Spans that do not fit their kind of prompt.
struct Misfit {
  GenerationRequest request;
  std::string field;
  std::string message;
};

TEST(PinnedSpansTest, ASpanThatDoesNotFitItsPromptIsRefusedByName) {
  const PromptChat chat = {{"user", "Hello"}, {"assistant", "Hi"}};
  std::vector<Misfit> misfits = {
      {RequestOf(chat, {PinnedCharacters{0, 1}}), "cache.pinned[0].characters",
       "applies to a text prompt only"},
      {RequestOf(PromptTokens{1, 2}, {TokenRange{0, 1}, PinnedCharacters{0, 1}}),
       "cache.pinned[1].characters", "applies to a text prompt only"},
      {RequestOf("Hello", {PinnedMessage{0}}), "cache.pinned[0].message",
       "applies to a chat prompt only"},
      {RequestOf(PromptTokens{1, 2}, {PinnedMessage{0}}), "cache.pinned[0].message",
       "applies to a chat prompt only"},
      {RequestOf(chat, {PinnedMessage{0}, PinnedMessage{2}}), "cache.pinned[1].message",
       "is 2, must be in [0, 1]"},
      {RequestOf(chat, {PinnedMessage{INT32_MAX}}), "cache.pinned[0].message",
       "is 2147483647, must be in [0, 1]"},
      {ChatWithSystemPinned(chat), "cache.pin_system_prompt",
       "applies to a chat with a system message only"},
      {RequestOf("Hello", {}), "cache.pin_system_prompt",
       "applies to a chat with a system message only"},
      {RequestOf(PromptTokens{1, 2}, {}), "cache.pin_system_prompt",
       "applies to a chat with a system message only"},
  };
  for (Misfit& misfit : misfits) {
    SCOPED_TRACE(misfit.field + " " + misfit.message);
    if (misfit.request.cache.pinned.empty()) misfit.request.cache.pin_system_prompt = true;
    const absl::Status status = CheckPinnedSpans(misfit.request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(FieldOf(status), misfit.field);
    EXPECT_THAT(std::string(status.message()), HasSubstr(misfit.message));
  }
}

}  // namespace
}  // namespace windowkv
