#include "engine/sampling/sample_tokens.h"

#include <algorithm>

#include "absl/status/status.h"
#include "engine/base/status.h"
#include "engine/kernels/catch_exceptions.h"

namespace windowkv {

StartedTokens StartTokens(const std::vector<SampledRow>& rows, at::Tensor& logits) {
  std::vector<RowSampling> samplings;
  std::vector<LogitEdit> edits;
  samplings.reserve(rows.size());
  for (const SampledRow& row : rows) samplings.push_back(row.sampler->Next(row.row, edits));
  StartedTokens started(SampleRows(samplings, edits, logits));

  std::vector<ChosenRow> reported;
  int32_t top = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::optional<int32_t>& logprobs = rows[i].sampler->logprobs();
    started.logprobs_at_.push_back(logprobs ? std::optional(reported.size()) : std::nullopt);
    if (!logprobs) continue;
    reported.push_back({rows[i].row, static_cast<int32_t>(i)});
    top = std::max(top, *logprobs);
  }
  if (!reported.empty()) {
    // The tokens are there: without memory for these, only who asked for them is at fault.
    started.logprobs_status_ = CatchExceptions(
        [&] { started.logprobs_ = StartRowLogprobs(reported, started.ids(), top, logits); });
  }
  return started;
}

void StartedTokens::Wait() {
  if (known_) return;
  if (logprobs_) logprobs_->Wait();
  known_ = ids_.Wait();
}

absl::StatusOr<SampledToken> StartedTokens::Take(size_t i, Sampler& sampler) {
  Wait();
  SampledToken token;
  token.id = (*known_)[i];
  if (token.id == kNoToken) return absl::InternalError("the model's logits are not finite numbers");
  if (const std::optional<size_t> at = logprobs_at_[i]) {
    WINDOWKV_RETURN_IF_ERROR(logprobs_status_);
    token.logprob = logprobs_->Chosen(*at);
    token.top = logprobs_->MostLikely(*at, *sampler.logprobs());
  }
  sampler.Take(token.id);
  return token;
}

}  // namespace windowkv
