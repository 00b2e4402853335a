#include "engine/runtime/unread_step.h"

#include <algorithm>

#include "engine/kernels/catch_exceptions.h"

namespace windowkv {

void UnreadStep::Drop(const Sequence* sequence) {
  for (Sequence*& other : sequences_) {
    if (other == sequence) other = nullptr;
  }
}

bool UnreadStep::empty() const {
  return std::ranges::all_of(sequences_, [](const Sequence* sequence) { return !sequence; });
}

UnreadTokens UnreadStep::TokensOf(const std::vector<Sequence*>& batch) const {
  UnreadTokens tokens;
  tokens.ids = tokens_->ids();
  for (const Sequence* sequence : batch) {
    const auto at = std::ranges::find(sequences_, sequence);
    tokens.rows.push_back(at == sequences_.end() ? kKnownToken
                                                 : static_cast<int32_t>(at - sequences_.begin()));
  }
  return tokens;
}

absl::Status UnreadStep::Wait() {
  if (!tokens_.ok()) return tokens_.status();
  return CatchExceptions([this] { tokens_->Wait(); });
}

}  // namespace windowkv
