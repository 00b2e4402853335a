#ifndef WINDOWKV_ENGINE_SAMPLING_SAMPLER_H_
#define WINDOWKV_ENGINE_SAMPLING_SAMPLER_H_

#include <cstdint>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

#include "engine/kernels/sample_rows.h"
#include "engine/sampling/sampling_params.h"

namespace windowkv {

// How one sequence's tokens are chosen: what SampleRows is to do for the next one, and what came of
// it. The random numbers come from the sequence's own seed, one per token, so the same seed gives
// the same tokens whatever else runs. Owned by one sequence; not thread-safe.
class Sampler {
 public:
  // `params` has been validated and its seed is set. `prompt` counts for the repetition penalty.
  // `end_ids` (end of text and stop ids) are not chosen before min_tokens.
  Sampler(const SamplingParams& params, const std::vector<int32_t>& prompt,
          std::vector<int32_t> end_ids);

  // For the next token, whose logits stand in `row`: penalties and biases go behind `edits`. Once
  // for each token, in their order; the token before may be taken later, unless it is needed.
  RowSampling Next(int32_t row, std::vector<LogitEdit>& edits);

  // Whether what Next says of a token depends on the one before: penalties count what was taken.
  bool needs_last_token() const;

  // Of how many most likely tokens log-probabilities are reported, besides the chosen one's;
  // nothing when none are.
  const std::optional<int32_t>& logprobs() const { return params_.logprobs; }

  // What Next's row came to.
  void Take(int32_t id) { ++output_counts_[id]; }

 private:
  void AppendEdits(std::vector<LogitEdit>& edits) const;
  bool IsRuledOut(int32_t id) const;

  SamplingParams params_;
  std::vector<int32_t> end_ids_;
  std::mt19937_64 random_;
  int32_t started_ = 0;  // tokens that Next was called for
  // Tokens of prompt and output, with their count in the output.
  std::unordered_map<int32_t, int32_t> output_counts_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SAMPLING_SAMPLER_H_
