#include "client/load/request_record.h"

namespace windowkv::client {

void RequestRecord::OnMessage(absl::Duration now, const v1::GenerateResponse& message) {
  if (message.has_finished()) finished_ = message.finished();
  const int tokens = message.has_chunk() ? message.chunk().token_ids_size() : 0;
  if (tokens == 0) return;
  const absl::Duration at = now - due_;
  if (!time_to_first_token_) {
    time_to_first_token_ = at;
  } else {
    for (int i = 0; i < tokens; ++i) between_tokens_.Add((at - last_token_) / tokens);
    tokens_after_first_ += tokens;
  }
  last_token_ = at;
}

void RequestRecord::OnDone(absl::Duration now, const absl::Status& status) {
  status_ = status;
  end_to_end_ = now - due_;
}

std::optional<absl::Duration> RequestRecord::mean_between_tokens() const {
  if (tokens_after_first_ == 0) return std::nullopt;
  return (last_token_ - *time_to_first_token_) / tokens_after_first_;
}

}  // namespace windowkv::client
