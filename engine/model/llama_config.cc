#include "engine/model/llama_config.h"

#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/model/rope_config.h"
#include "engine/weights/json_reader.h"

namespace windowkv {
namespace {

using IntRange = JsonFields::Range<int64_t>;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

// Upper limits, far above any model; sizes of tensors stay below 2^63.
constexpr IntRange kVocabSize = {1, 1 << 22};  // what sample_rows.h takes
constexpr IntRange kHiddenSize = {1, 1 << 20};
constexpr IntRange kNumLayers = {1, 4096};
constexpr IntRange kNumHeads = {1, 4096};
constexpr IntRange kHeadDim = {2, 4096};
constexpr IntRange kContextLength = {1, 1 << 28};

// What transformers takes for keys that a config.json leaves out.
constexpr int64_t kDefaultContextLength = 2048;
constexpr int64_t kDefaultEosTokenId = 2;

// Keys of neighbouring architectures that change what a layer computes, and the one value, in JSON,
// that leaves a Llama layer as it is (besides null).
struct NeutralValue {
  const char* key;
  const char* value;
};
constexpr NeutralValue kNeutralValues[] = {
    {"sliding_window", "null"},
    {"use_sliding_window", "false"},
    {"quantization_config", "null"},
    {"partial_rotary_factor", "1"},
    {"rope_interleave", "false"},
    {"attn_logit_softcapping", "null"},
    {"final_logit_softcapping", "null"},
    {"attention_multiplier", "null"},
    {"embedding_multiplier", "1"},
    {"residual_multiplier", "1"},
    {"logits_scaling", "1"},
    {"logit_scale", "1"},
    {"clip_qkv", "null"},
    {"use_qk_norm", "false"},
    {"qk_norm", "false"},
    {"no_rope_layers", "null"},
    {"num_local_experts", "null"},
};

absl::Status CheckKind(const JsonFields& fields) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::string model_type, fields.String("model_type"));
  if (model_type != "llama") return fields.Unexpected("model_type", "\"llama\"", kUnimplemented);
  WINDOWKV_ASSIGN_OR_RETURN(const std::string hidden_act, fields.StringOr("hidden_act", "silu"));
  if (hidden_act != "silu") return fields.Unexpected("hidden_act", "\"silu\"", kUnimplemented);
  for (const auto& [key, neutral] : kNeutralValues) {
    const nlohmann::json* value = fields.Find(key);
    if (value != nullptr && *value != nlohmann::json::parse(neutral)) {
      return fields.Unexpected(key, neutral, kUnimplemented);
    }
  }
  if (const nlohmann::json* types = fields.Find("layer_types")) {
    for (const auto& [index, type] : types->items()) {
      if (type == "full_attention") continue;
      return fields.Unexpected("layer_types", "\"full_attention\" for every layer", kUnimplemented);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadArchitecture(const JsonFields& fields, LlamaConfig& config) {
  config.architecture = "LlamaForCausalLM";
  const nlohmann::json* names = fields.Find("architectures");
  if (names == nullptr || *names == nlohmann::json::array({config.architecture})) {
    return absl::OkStatus();
  }
  return fields.Unexpected("architectures", "[\"LlamaForCausalLM\"]", kUnimplemented);
}

absl::Status ReadInt(const JsonFields& fields, const char* key, IntRange range, int32_t& into) {
  WINDOWKV_ASSIGN_OR_RETURN(const int64_t value, fields.Int(key, range));
  into = static_cast<int32_t>(value);
  return absl::OkStatus();
}

absl::Status ReadShape(const JsonFields& fields, LlamaConfig& config) {
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "vocab_size", kVocabSize, config.vocab_size));
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "hidden_size", kHiddenSize, config.hidden_size));
  WINDOWKV_RETURN_IF_ERROR(
      ReadInt(fields, "intermediate_size", kHiddenSize, config.intermediate_size));
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "num_hidden_layers", kNumLayers, config.num_layers));
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "num_attention_heads", kNumHeads, config.num_heads));
  WINDOWKV_ASSIGN_OR_RETURN(
      config.num_kv_heads,
      fields.IntOr("num_key_value_heads", config.num_heads, {1, config.num_heads}));
  if (config.num_heads % config.num_kv_heads != 0) {
    return fields.Unexpected("num_key_value_heads",
                             absl::StrCat("a divisor of num_attention_heads ", config.num_heads));
  }
  WINDOWKV_ASSIGN_OR_RETURN(
      config.context_length,
      fields.IntOr("max_position_embeddings", kDefaultContextLength, kContextLength));
  return absl::OkStatus();
}

absl::Status ReadHeadDim(const JsonFields& fields, LlamaConfig& config) {
  if (fields.Find("head_dim") != nullptr) {
    WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "head_dim", kHeadDim, config.head_dim));
    if (config.head_dim % 2 == 0) return absl::OkStatus();
    return fields.Unexpected("head_dim", "an even number, for RoPE turns pairs of values");
  }
  config.head_dim = config.hidden_size / config.num_heads;
  if (config.hidden_size % config.num_heads != 0 || config.head_dim % 2 != 0 ||
      config.head_dim > kHeadDim.max) {
    return fields.Unexpected(
        "hidden_size",
        absl::StrCat("num_attention_heads ", config.num_heads, " times an even number of at most ",
                     kHeadDim.max, ", as head_dim is not given"));
  }
  return absl::OkStatus();
}

absl::Status ReadSwitches(const JsonFields& fields, LlamaConfig& config) {
  WINDOWKV_ASSIGN_OR_RETURN(config.rms_norm_eps, fields.NumberOr("rms_norm_eps", 1e-6, {0, 1}));
  WINDOWKV_ASSIGN_OR_RETURN(config.tie_word_embeddings,
                            fields.BoolOr("tie_word_embeddings", false));
  WINDOWKV_ASSIGN_OR_RETURN(config.attention_bias, fields.BoolOr("attention_bias", false));
  WINDOWKV_ASSIGN_OR_RETURN(config.mlp_bias, fields.BoolOr("mlp_bias", false));
  WINDOWKV_ASSIGN_OR_RETURN(const std::string dtype, fields.StringOr("dtype", ""));
  WINDOWKV_ASSIGN_OR_RETURN(config.torch_dtype, fields.StringOr("torch_dtype", dtype));
  return absl::OkStatus();
}

// One id or a list of ids; nothing when the key is absent.
absl::StatusOr<std::vector<int32_t>> ReadEosTokenIds(const JsonFields& fields, int32_t vocab_size) {
  const nlohmann::json* value = fields.Find("eos_token_id");
  std::vector<int32_t> ids;
  if (value == nullptr) return ids;
  const nlohmann::json list = value->is_array() ? *value : nlohmann::json::array({*value});
  for (const nlohmann::json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocab_size)) {
      return fields.Unexpected(
          "eos_token_id", absl::StrCat("a token id or a list of ids in [0, ", vocab_size - 1, "]"));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

absl::Status ReadEos(const JsonFields& fields, const nlohmann::json& document,
                     const std::string& dir, LlamaConfig& config) {
  WINDOWKV_ASSIGN_OR_RETURN(config.eos_token_ids, ReadEosTokenIds(fields, config.vocab_size));
  if (!document.contains("eos_token_id") && config.vocab_size > kDefaultEosTokenId) {
    config.eos_token_ids = {kDefaultEosTokenId};
  }
  const std::string path = absl::StrCat(dir, "/generation_config.json");
  auto generation_document = ReadJsonFile(path, kInvalid);
  if (absl::IsNotFound(generation_document.status())) return absl::OkStatus();
  WINDOWKV_RETURN_IF_ERROR(generation_document.status());
  WINDOWKV_ASSIGN_OR_RETURN(const JsonFields generation,
                            JsonFields::Of(*generation_document, path, kInvalid));
  WINDOWKV_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                            ReadEosTokenIds(generation, config.vocab_size));
  if (!ids.empty()) config.eos_token_ids = std::move(ids);
  return absl::OkStatus();
}

}  // namespace

int64_t ParameterCount(const LlamaConfig& config) {
  const int64_t hidden = config.hidden_size;
  const int64_t intermediate = config.intermediate_size;
  const int64_t q_width = int64_t{config.num_heads} * config.head_dim;
  const int64_t kv_width = int64_t{config.num_kv_heads} * config.head_dim;
  const int64_t norms = 2 * hidden;
  const int64_t attention = 2 * hidden * (q_width + kv_width);
  const int64_t feed_forward = 3 * hidden * intermediate;
  int64_t layer = norms + attention + feed_forward;
  if (config.attention_bias) layer += q_width + 2 * kv_width + hidden;
  if (config.mlp_bias) layer += 2 * intermediate + hidden;
  const int64_t embeddings = (config.tie_word_embeddings ? 1 : 2) * config.vocab_size * hidden;
  return embeddings + config.num_layers * layer + hidden;
}

absl::StatusOr<LlamaConfig> LoadLlamaConfig(const std::string& dir) {
  const std::string path = absl::StrCat(dir, "/config.json");
  WINDOWKV_ASSIGN_OR_RETURN(const nlohmann::json document, ReadJsonFile(path, kInvalid));
  WINDOWKV_ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Of(document, path, kInvalid));
  LlamaConfig config;
  WINDOWKV_RETURN_IF_ERROR(CheckKind(fields));
  WINDOWKV_RETURN_IF_ERROR(ReadArchitecture(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadShape(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadHeadDim(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadSwitches(fields, config));
  WINDOWKV_ASSIGN_OR_RETURN(config.rope, ReadRopeConfig(fields));
  WINDOWKV_RETURN_IF_ERROR(ReadEos(fields, document, dir, config));
  return config;
}

}  // namespace windowkv
