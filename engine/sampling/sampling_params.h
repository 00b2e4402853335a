#ifndef WINDOWKV_ENGINE_SAMPLING_SAMPLING_PARAMS_H_
#define WINDOWKV_ENGINE_SAMPLING_SAMPLING_PARAMS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace windowkv {

// How one sequence's next tokens are chosen. A value; zero-initialised members are "off".
struct SamplingParams {
  float temperature = 0;         // 0 is greedy; [0, 100]
  int32_t top_k = 0;             // 0 is off; [0, vocab_size]
  float top_p = 1;               // (0, 1]
  float min_p = 0;               // [0, 1]
  float repetition_penalty = 1;  // [0.001, 10]
  float presence_penalty = 0;    // [-10, 10]
  float frequency_penalty = 0;   // [-10, 10]
  std::optional<uint64_t> seed;  // unset: the engine draws one
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  int32_t max_tokens = 256;  // [1, context length]
  int32_t min_tokens = 0;    // [0, max_tokens]
  // Most likely tokens reported besides the chosen one; unset: no log-probabilities. [0, 20]
  std::optional<int32_t> logprobs;
  std::map<int32_t, float> logit_bias;  // at most 300 entries, [-100, 100]
  bool ignore_eos = false;
};

// Limits that depend on the model.
struct SamplingLimits {
  int32_t vocab_size = 0;
  int32_t context_length = 0;
};

// INVALID_ARGUMENT naming the protobuf field ("sampling.top_p"), the value and the allowed range.
absl::Status ValidateSamplingParams(const SamplingParams& params, const SamplingLimits& limits);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_SAMPLING_SAMPLING_PARAMS_H_
