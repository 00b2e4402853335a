#include "engine/runtime/pinned_spans.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/text/token_offsets.h"
#include "engine/text/utf8.h"

namespace windowkv {
namespace {

constexpr std::string_view kSystem = "system";

std::string FieldOfSpan(size_t index) { return absl::StrCat("cache.pinned[", index, "]"); }

bool IsSystem(const ChatMessage& message) { return message.role == kSystem; }

absl::Status CheckSpan(const PinnedSpan& span, const Prompt& prompt, const std::string& field) {
  if (std::holds_alternative<PinnedCharacters>(span) &&
      !std::holds_alternative<PromptText>(prompt)) {
    return InvalidField(field + ".characters", "applies to a text prompt only");
  }
  const auto* message = std::get_if<PinnedMessage>(&span);
  if (message == nullptr) return absl::OkStatus();
  const auto* chat = std::get_if<PromptChat>(&prompt);
  if (chat == nullptr) return InvalidField(field + ".message", "applies to a chat prompt only");
  const auto last = static_cast<int64_t>(chat->size()) - 1;
  if (message->index <= last) return absl::OkStatus();
  return InvalidField(field + ".message",
                      absl::StrCat("is ", message->index, ", must be in [0, ", last, "]"));
}

// Byte offsets of a text's characters, its end included.
std::vector<int64_t> CharacterOffsets(std::string_view text) {
  std::vector<int64_t> offsets;
  offsets.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size(); at += DecodeUtf8(text.substr(at)).length) {
    offsets.push_back(static_cast<int64_t>(at));
  }
  offsets.push_back(static_cast<int64_t>(text.size()));
  return offsets;
}

// Finds characters among the tokens of one text; looks at the text when first asked.
class CharacterFinder {
 public:
  CharacterFinder(const Prompt& prompt, const EncodedPrompt& encoded, const Tokenizer& tokenizer)
      : prompt_(prompt), encoded_(encoded), tokenizer_(tokenizer) {}

  absl::StatusOr<TokenRange> Find(const PinnedCharacters& span, const std::string& field) {
    if (offsets_.empty()) {
      const PromptText& text = std::get<PromptText>(prompt_);
      offsets_ = CharacterOffsets(text);
      ends_ = TokenEnds(text, encoded_.ids, tokenizer_);
    }
    const auto count = static_cast<int64_t>(offsets_.size()) - 1;
    if (span.end > count) {
      return InvalidField(field, absl::StrCat("is [", span.begin, ", ", span.end,
                                              "), must be a non-empty range inside [0, ", count,
                                              "), the text's characters"));
    }
    if (ends_.empty()) {
      return InvalidField(field,
                          "cannot be found among the tokens, since this model's tokenizer rewrites "
                          "the text; pin tokens instead");
    }
    // The first token that ends after the span's begin, to the first that ends at or after its end.
    const auto first = std::upper_bound(ends_.begin(), ends_.end(), offsets_[span.begin]);
    const auto last = std::lower_bound(first, ends_.end(), offsets_[span.end]);
    return TokenRange{static_cast<int32_t>(first - ends_.begin()),
                      static_cast<int32_t>(last - ends_.begin()) + 1};
  }

 private:
  const Prompt& prompt_;
  const EncodedPrompt& encoded_;
  const Tokenizer& tokenizer_;
  std::vector<int64_t> offsets_;
  std::vector<int64_t> ends_;
};

absl::Status CheckInsidePrompt(const TokenRange& range, const EncodedPrompt& prompt,
                               const std::string& field) {
  const auto tokens = static_cast<int32_t>(prompt.ids.size());
  if (range.end <= tokens) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("is [", range.begin, ", ", range.end,
                                          "), must be a non-empty range inside [0, ", tokens,
                                          "), the prompt's tokens"));
}

}  // namespace

absl::Status CheckPinnedSpans(const GenerationRequest& request) {
  const std::vector<PinnedSpan>& pinned = request.cache.pinned;
  for (size_t i = 0; i < pinned.size(); ++i) {
    WINDOWKV_RETURN_IF_ERROR(CheckSpan(pinned[i], request.prompt, FieldOfSpan(i)));
  }
  if (!request.cache.pin_system_prompt) return absl::OkStatus();
  const auto* chat = std::get_if<PromptChat>(&request.prompt);
  if (chat != nullptr && std::any_of(chat->begin(), chat->end(), &IsSystem)) {
    return absl::OkStatus();
  }
  return InvalidField("cache.pin_system_prompt", "applies to a chat with a system message only");
}

absl::StatusOr<std::vector<TokenRange>> ResolvePinnedSpans(const GenerationRequest& request,
                                                           const EncodedPrompt& prompt,
                                                           const Tokenizer& tokenizer) {
  std::vector<TokenRange> ranges;
  CharacterFinder finder(request.prompt, prompt, tokenizer);
  for (size_t i = 0; i < request.cache.pinned.size(); ++i) {
    const PinnedSpan& span = request.cache.pinned[i];
    if (const auto* tokens = std::get_if<TokenRange>(&span)) {
      WINDOWKV_RETURN_IF_ERROR(CheckInsidePrompt(*tokens, prompt, FieldOfSpan(i) + ".tokens"));
      ranges.push_back(*tokens);
    } else if (const auto* characters = std::get_if<PinnedCharacters>(&span)) {
      WINDOWKV_ASSIGN_OR_RETURN(const TokenRange found,
                                finder.Find(*characters, FieldOfSpan(i) + ".characters"));
      ranges.push_back(found);
    } else {
      ranges.push_back(prompt.messages[std::get<PinnedMessage>(span).index]);
    }
  }
  if (!request.cache.pin_system_prompt) return ranges;
  const PromptChat& chat = std::get<PromptChat>(request.prompt);
  for (size_t i = 0; i < chat.size(); ++i) {
    if (IsSystem(chat[i])) ranges.push_back(prompt.messages[i]);
  }
  return ranges;
}

}  // namespace windowkv
