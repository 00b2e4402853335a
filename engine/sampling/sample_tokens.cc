#include "engine/sampling/sample_tokens.h"

#include "absl/status/status.h"

namespace windowkv {

std::vector<absl::StatusOr<SampledToken>> SampleTokens(const std::vector<SampledRow>& rows,
                                                       at::Tensor& logits) {
  std::vector<RowSampling> samplings;
  std::vector<LogitEdit> edits;
  samplings.reserve(rows.size());
  for (const SampledRow& row : rows) samplings.push_back(row.sampler->Next(row.row, edits));
  const std::vector<int32_t> ids = SampleRows(samplings, edits, logits);

  const auto vocab_size = static_cast<int32_t>(logits.size(1));
  std::vector<absl::StatusOr<SampledToken>> tokens;
  tokens.reserve(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (ids[i] == kNoToken) {
      tokens.emplace_back(absl::InternalError("the model's logits are not finite numbers"));
    } else if (rows[i].sampler->reports_logprobs()) {
      const at::Tensor row = logits.select(0, rows[i].row).to(at::kCPU);
      tokens.emplace_back(rows[i].sampler->Take(ids[i], row.const_data_ptr<float>(), vocab_size));
    } else {
      tokens.emplace_back(rows[i].sampler->Take(ids[i], nullptr, vocab_size));
    }
  }
  return tokens;
}

}  // namespace windowkv
