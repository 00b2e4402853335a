#include "server/generation/tokenize_method.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "server/generation/wire_request.h"

namespace windowkv {
namespace {

// A token of English has four bytes; a few tokens have more than this, but no text is made of them.
constexpr int64_t kMaxBytesPerToken = 64;
// Of all calls at once; a longer text is taken when no other call runs.
constexpr int64_t kMaxBytesAtOnce = 4 << 20;
constexpr absl::Duration kRetryDelay = absl::Seconds(1);
// Between two looks at whether the call is cancelled.
constexpr int kTokensBetweenLooks = 1024;

int64_t BytesOf(const v1::TokenizeRequest& request) {
  int64_t bytes = static_cast<int64_t>(request.text().size());
  for (const v1::ChatMessage& message : request.chat().messages()) {
    bytes += static_cast<int64_t>(message.role().size() + message.content().size());
  }
  return bytes;
}

absl::Status Cancelled() { return absl::CancelledError("the client left"); }

}  // namespace

// One call's part of what may be encoded at once.
class TokenizeMethod::Share {
 public:
  Share(TokenizeMethod* method, int64_t bytes) : method_(method), bytes_(bytes) {}
  ~Share() {
    if (!taken_) return;
    std::lock_guard lock(method_->mu_);
    method_->bytes_now_ -= bytes_;
  }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

  absl::Status Take() {
    std::lock_guard lock(method_->mu_);
    const int64_t others = method_->bytes_now_;
    if (others > 0 && others + bytes_ > kMaxBytesAtOnce) {
      return WithRetryDelay(absl::ResourceExhaustedError(
                                absl::StrCat("texts of ", others, " bytes are tokenized, ", bytes_,
                                             " more would be above ", kMaxBytesAtOnce)),
                            kRetryDelay);
    }
    method_->bytes_now_ += bytes_;
    taken_ = true;
    return absl::OkStatus();
  }

 private:
  TokenizeMethod* const method_;
  const int64_t bytes_;
  bool taken_ = false;
};

absl::Status TokenizeMethod::CheckLength(const v1::TokenizeRequest& request, int64_t bytes) const {
  const int64_t limit = kMaxBytesPerToken * engine_->model_info().context_length;
  if (bytes <= limit) return absl::OkStatus();
  return FieldError(absl::StatusCode::kOutOfRange, request.has_text() ? "text" : "chat",
                    absl::StrCat("has ", bytes, " bytes, must have at most ", limit, ": ",
                                 kMaxBytesPerToken, " for each token of the context"));
}

absl::Status TokenizeMethod::Run(const v1::TokenizeRequest& request,
                                 const std::function<bool()>& cancelled,
                                 v1::TokenizeResponse* response) {
  const int64_t bytes = BytesOf(request);
  WINDOWKV_RETURN_IF_ERROR(CheckLength(request, bytes));
  Share share(this, bytes);
  WINDOWKV_RETURN_IF_ERROR(share.Take());
  WINDOWKV_ASSIGN_OR_RETURN(const auto prompt, ToPrompt(request));
  if (cancelled()) return Cancelled();
  WINDOWKV_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, engine_->Tokenize(prompt));
  response->mutable_token_ids()->Assign(ids.begin(), ids.end());
  response->mutable_tokens()->Reserve(static_cast<int>(ids.size()));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i % kTokensBetweenLooks == 0 && cancelled()) return Cancelled();
    response->add_tokens(engine_->TokenText(ids[i]));
  }
  return absl::OkStatus();
}

}  // namespace windowkv
