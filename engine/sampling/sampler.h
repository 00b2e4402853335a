#ifndef WINDOWKV_ENGINE_SAMPLING_SAMPLER_H_
#define WINDOWKV_ENGINE_SAMPLING_SAMPLER_H_

#include <cstdint>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/sampling/sampling_params.h"

namespace windowkv {

// A chosen token. Log-probabilities are natural, after penalties and biases, before temperature and
// filters; filled in when the parameters ask for them.
struct SampledToken {
  int32_t id = 0;
  float logprob = 0;
  std::vector<std::pair<int32_t, float>> top;  // most likely first
};

// Chooses one sequence's tokens. The random numbers come from the sequence's own seed, one per
// token, so the same seed gives the same tokens whatever else runs. Ties go to the lower id. Owned
// by one sequence; not thread-safe.
class Sampler {
 public:
  // `params` has been validated and its seed is set. `prompt` counts for the repetition penalty.
  // `end_ids` (end of text and stop ids) are not chosen before min_tokens.
  Sampler(const SamplingParams& params, const std::vector<int32_t>& prompt,
          std::vector<int32_t> end_ids);

  // logits: [vocab_size], changed. INTERNAL when one of them is not a number.
  absl::StatusOr<SampledToken> Sample(float* logits, int32_t vocab_size);

 private:
  void ApplyPenalties(float* logits) const;
  int32_t Draw(const float* logits, int32_t vocab_size, int32_t best);

  SamplingParams params_;
  std::vector<int32_t> end_ids_;
  std::mt19937_64 random_;
  int32_t generated_ = 0;
  // Tokens of prompt and output, with their count in the output.
  std::unordered_map<int32_t, int32_t> output_counts_;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SAMPLING_SAMPLER_H_
