#ifndef WINDOWKV_ENGINE_MODEL_LLAMA_CONFIG_H_
#define WINDOWKV_ENGINE_MODEL_LLAMA_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/sampling/sampling_params.h"

namespace windowkv {

// Rotary position embedding (arXiv 2104.09864) and how it is stretched to longer contexts.
struct RopeConfig {
  enum class Scaling { kDefault, kLinear, kLlama3 };
  double theta = 10000;
  Scaling scaling = Scaling::kDefault;
  double factor = 1;  // linear and llama3
  // llama3 only
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  int64_t original_max_position_embeddings = 8192;
};

// A Llama checkpoint's config.json, validated: every number in range, heads divide evenly, nothing
// that would change the arithmetic is left unread. A value.
struct LlamaConfig {
  std::string architecture;
  int32_t vocab_size = 0;
  int32_t hidden_size = 0;
  int32_t intermediate_size = 0;
  int32_t num_layers = 0;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;  // given, or hidden_size / num_heads
  int32_t context_length = 0;
  double rms_norm_eps = 1e-6;
  RopeConfig rope;
  bool tie_word_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  std::vector<int32_t> eos_token_ids;  // generation_config.json's, else config.json's
  std::string torch_dtype;             // as stored, may be empty
};

// Numbers in its weights.
int64_t ParameterCount(const LlamaConfig& config);

// Reads DIR/config.json. INVALID_ARGUMENT naming the file, the key, what was expected and found;
// UNIMPLEMENTED naming the key for what we do not support (another model_type, activation,
// scaling).
absl::StatusOr<LlamaConfig> LoadLlamaConfig(const std::string& dir);

// Sampling defaults of DIR/generation_config.json; the built-in ones when there is no such file.
// Cut to what a request may ask of the model.
absl::StatusOr<SamplingParams> LoadSamplingDefaults(const std::string& dir,
                                                    const SamplingLimits& limits);

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_MODEL_LLAMA_CONFIG_H_
