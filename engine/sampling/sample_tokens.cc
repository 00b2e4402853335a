#include "engine/sampling/sample_tokens.h"

#include "absl/status/status.h"

namespace windowkv {

StartedTokens StartTokens(const std::vector<SampledRow>& rows, at::Tensor& logits) {
  std::vector<RowSampling> samplings;
  std::vector<LogitEdit> edits;
  samplings.reserve(rows.size());
  for (const SampledRow& row : rows) samplings.push_back(row.sampler->Next(row.row, edits));
  SampledRows ids = SampleRows(samplings, edits, logits);

  // Now, as the next step may overwrite them before these tokens are taken.
  std::vector<std::optional<HostCopy>> reported(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].sampler->reports_logprobs()) reported[i].emplace(logits.select(0, rows[i].row));
  }
  return {std::move(ids), std::move(reported)};
}

void StartedTokens::Wait() {
  if (known_) return;
  for (const std::optional<HostCopy>& logits : logits_) {
    if (logits) logits->Wait();
  }
  known_ = ids_.Wait();
}

absl::StatusOr<SampledToken> StartedTokens::Take(size_t i, Sampler& sampler) {
  Wait();
  const int32_t id = (*known_)[i];
  if (id == kNoToken) return absl::InternalError("the model's logits are not finite numbers");
  if (!logits_[i]) return sampler.Take(id, nullptr, 0);
  const at::Tensor& logits = logits_[i]->Wait();
  return sampler.Take(id, logits.const_data_ptr<float>(), static_cast<int32_t>(logits.size(0)));
}

}  // namespace windowkv
