#ifndef WINDOWKV_ENGINE_SAMPLING_SAMPLE_TOKENS_H_
#define WINDOWKV_ENGINE_SAMPLING_SAMPLE_TOKENS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/sampling/sampler.h"

namespace windowkv {

// A sequence that takes its next token, and where its logits are.
struct SampledRow {
  int32_t row = 0;
  Sampler* sampler = nullptr;
};

// A token for each of `rows`, chosen where the logits lie: of a CUDA device's only the tokens come
// back, and the rows whose log-probabilities are reported. INTERNAL in place of a token where the
// logits are no finite numbers. Throws what LibTorch throws.
//   logits: [>= rows, vocab_size] float32, contiguous; changed.
std::vector<absl::StatusOr<SampledToken>> SampleTokens(const std::vector<SampledRow>& rows,
                                                       at::Tensor& logits);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SAMPLING_SAMPLE_TOKENS_H_
