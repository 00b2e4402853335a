#include <algorithm>
#include <string>

#include "engine/base/status.h"
#include "engine/model/llama_config.h"
#include "engine/sampling/sampling_params.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"

namespace windowkv {
namespace {

constexpr std::initializer_list<absl::StatusCode> kRefusals = {absl::StatusCode::kInvalidArgument,
                                                               absl::StatusCode::kUnimplemented};
// More than any model has.
constexpr SamplingLimits kWidest = {.vocab_size = 1 << 22, .context_length = 1 << 28};

bool InRange(int64_t value, int64_t low, int64_t high) { return value >= low && value <= high; }

absl::Status CheckConfig(const LlamaConfig& config) {
  if (!InRange(config.vocab_size, 1, 1 << 22) || !InRange(config.hidden_size, 1, 1 << 20) ||
      !InRange(config.intermediate_size, 1, 1 << 20) || !InRange(config.num_layers, 1, 4096) ||
      !InRange(config.context_length, 1, 1 << 28)) {
    return Broken("sizes are in range");
  }
  if (!InRange(config.num_kv_heads, 1, config.num_heads) ||
      config.num_heads % config.num_kv_heads != 0) {
    return Broken("heads divide evenly");
  }
  if (!InRange(config.head_dim, 2, 4096) || config.head_dim % 2 != 0) {
    return Broken("a head's width is even");
  }
  if (!(config.rms_norm_eps >= 0 && config.rms_norm_eps <= 1)) return Broken("epsilon is small");
  const RopeConfig& rope = config.rope;
  if (!(rope.theta >= 1 && rope.theta <= 1e15) || !(rope.factor >= 1 && rope.factor <= 1e6) ||
      !(rope.low_freq_factor < rope.high_freq_factor)) {
    return Broken("RoPE's numbers are in range");
  }
  if (std::any_of(config.eos_token_ids.begin(), config.eos_token_ids.end(),
                  [&](int32_t id) { return !InRange(id, 0, config.vocab_size - 1); })) {
    return Broken("the ids that end a text are of the vocabulary");
  }
  return absl::OkStatus();
}

}  // namespace

// Parts: config.json; generation_config.json, which may be missing.
absl::Status FuzzLlamaConfig(std::string_view input) {
  FuzzInput parts(input);
  const ModelDirectory dir;
  dir.Write("config.json", parts.Part());
  if (!parts.empty()) dir.Write("generation_config.json", parts.Rest());

  const auto config = LoadLlamaConfig(dir.path());
  WINDOWKV_RETURN_IF_ERROR(config.ok() ? CheckConfig(*config)
                                       : CheckRefusal(config.status(), kRefusals, dir.path()));
  const SamplingLimits limits =
      config.ok() ? SamplingLimits{config->vocab_size, config->context_length} : kWidest;
  const auto sampling = LoadSamplingDefaults(dir.path(), limits);
  if (!sampling.ok()) return CheckRefusal(sampling.status(), kRefusals, dir.path());
  if (!ValidateSamplingParams(*sampling, limits).ok()) {
    return Broken("a checkpoint's sampling defaults are in range");
  }
  return absl::OkStatus();
}

}  // namespace windowkv
