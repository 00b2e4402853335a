#ifndef WINDOWKV_ENGINE_SAMPLING_SAMPLE_TOKENS_H_
#define WINDOWKV_ENGINE_SAMPLING_SAMPLE_TOKENS_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/kernels/row_logprobs.h"
#include "engine/kernels/sample_rows.h"
#include "engine/sampling/sampler.h"

namespace windowkv {

// A chosen token. Log-probabilities are natural, after penalties and biases, before temperature and
// filters; filled in when the parameters ask for them.
struct SampledToken {
  int32_t id = 0;
  float logprob = 0;
  std::vector<std::pair<int32_t, float>> top;  // most likely first
};

// A sequence that takes its next token, and where its logits are.
struct SampledRow {
  int32_t row = 0;
  Sampler* sampler = nullptr;
};

// A step's tokens, which a device may still be choosing; in the order of the rows they were started
// for. Throws what LibTorch throws.
class StartedTokens {
 public:
  // Where the logits lie, [rows] int32; see SampledRows.
  const at::Tensor& ids() const { return ids_.ids(); }

  // Waits until all are there, not for what was started since.
  void Wait();

  // The `i`th one, for the sampler it was started for, once. Waits if that has not been done.
  // INTERNAL where the logits were no finite numbers; what went wrong with log-probabilities that
  // the sampler reports.
  absl::StatusOr<SampledToken> Take(size_t i, Sampler& sampler);

 private:
  friend StartedTokens StartTokens(const std::vector<SampledRow>& rows, at::Tensor& logits);
  explicit StartedTokens(SampledRows ids) : ids_(std::move(ids)) {}

  SampledRows ids_;
  absl::Status logprobs_status_;
  std::optional<RowLogprobs> logprobs_;             // of those that report any
  std::vector<std::optional<size_t>> logprobs_at_;  // among them, for each token
  std::optional<std::vector<int32_t>> known_;       // after Wait
};

// Starts choosing a token for each of `rows` where the logits lie: of a CUDA device's only the
// tokens and the log-probabilities that are reported come back. The logits are changed, and
// free for the next step as soon as this has returned. Throws what LibTorch throws.
//   logits: [>= rows, vocab_size] float32, contiguous.
StartedTokens StartTokens(const std::vector<SampledRow>& rows, at::Tensor& logits);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SAMPLING_SAMPLE_TOKENS_H_
