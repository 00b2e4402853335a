#include "engine/model/llama_config.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "engine/json/json_node.h"
#include "engine/model/rope_config.h"

namespace windowkv {
namespace {

using IntRange = JsonNode::Range<int64_t>;

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

absl::Status CheckKind(const JsonNode& fields) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::string model_type, fields["model_type"].String());
  if (model_type != "llama") return fields["model_type"].Unsupported("\"llama\"");
  WINDOWKV_ASSIGN_OR_RETURN(const std::string hidden_act, fields["hidden_act"].StringOr("silu"));
  if (hidden_act != "silu") return fields["hidden_act"].Unsupported("\"silu\"");
  for (const auto& [key, neutral] : kNeutralValues) {
    const JsonNode member = fields[key];
    if (!member.is_null() && member.value() != nlohmann::json::parse(neutral)) {
      return member.Unsupported(neutral);
    }
  }
  const JsonNode types = fields["layer_types"];
  for (const auto& [index, type] : types.value().items()) {
    if (type == "full_attention") continue;
    return types.Unsupported("\"full_attention\" for every layer");
  }
  return absl::OkStatus();
}

absl::Status ReadArchitecture(const JsonNode& fields, LlamaConfig& config) {
  config.architecture = "LlamaForCausalLM";
  const JsonNode names = fields["architectures"];
  if (names.is_null() || names.value() == nlohmann::json::array({config.architecture})) {
    return absl::OkStatus();
  }
  return names.Unsupported("[\"LlamaForCausalLM\"]");
}

absl::Status ReadInt(const JsonNode& fields, const char* key, IntRange range, int32_t& into) {
  WINDOWKV_ASSIGN_OR_RETURN(const int64_t value, fields[key].Int(range));
  into = static_cast<int32_t>(value);
  return absl::OkStatus();
}

absl::Status ReadShape(const JsonNode& fields, LlamaConfig& config) {
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "vocab_size", kVocabSize, config.vocab_size));
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "hidden_size", kHiddenSize, config.hidden_size));
  WINDOWKV_RETURN_IF_ERROR(
      ReadInt(fields, "intermediate_size", kHiddenSize, config.intermediate_size));
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "num_hidden_layers", kNumLayers, config.num_layers));
  WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "num_attention_heads", kNumHeads, config.num_heads));
  WINDOWKV_ASSIGN_OR_RETURN(config.num_kv_heads, fields["num_key_value_heads"].IntOr(
                                                     config.num_heads, {1, config.num_heads}));
  if (config.num_heads % config.num_kv_heads != 0) {
    return fields["num_key_value_heads"].Expected(
        absl::StrCat("a divisor of num_attention_heads ", config.num_heads));
  }
  WINDOWKV_ASSIGN_OR_RETURN(config.context_length, fields["max_position_embeddings"].IntOr(
                                                       kDefaultContextLength, kContextLength));
  return absl::OkStatus();
}

absl::Status ReadHeadDim(const JsonNode& fields, LlamaConfig& config) {
  if (!fields["head_dim"].is_null()) {
    WINDOWKV_RETURN_IF_ERROR(ReadInt(fields, "head_dim", kHeadDim, config.head_dim));
    if (config.head_dim % 2 == 0) return absl::OkStatus();
    return fields["head_dim"].Expected("an even number, for RoPE turns pairs of values");
  }
  config.head_dim = config.hidden_size / config.num_heads;
  if (config.hidden_size % config.num_heads != 0 || config.head_dim % 2 != 0 ||
      config.head_dim > kHeadDim.max) {
    return fields["hidden_size"].Expected(absl::StrCat("num_attention_heads ", config.num_heads,
                                                       " times an even number of at most ",
                                                       kHeadDim.max, ", as head_dim is not given"));
  }
  return absl::OkStatus();
}

absl::Status ReadSwitches(const JsonNode& fields, LlamaConfig& config) {
  WINDOWKV_ASSIGN_OR_RETURN(config.rms_norm_eps, fields["rms_norm_eps"].NumberOr(1e-6, {0, 1}));
  WINDOWKV_ASSIGN_OR_RETURN(config.tie_word_embeddings,
                            fields["tie_word_embeddings"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(config.attention_bias, fields["attention_bias"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(config.mlp_bias, fields["mlp_bias"].BoolOr(false));
  WINDOWKV_ASSIGN_OR_RETURN(const std::string dtype, fields["dtype"].StringOr(""));
  WINDOWKV_ASSIGN_OR_RETURN(config.torch_dtype, fields["torch_dtype"].StringOr(dtype));
  return absl::OkStatus();
}

// One id or a list of ids; nothing when the key is absent.
absl::StatusOr<std::vector<int32_t>> ReadEosTokenIds(const JsonNode& fields, int32_t vocab_size) {
  const JsonNode member = fields["eos_token_id"];
  std::vector<int32_t> ids;
  if (member.is_null()) return ids;
  const nlohmann::json list =
      member.is_array() ? member.value() : nlohmann::json::array({member.value()});
  for (const nlohmann::json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocab_size)) {
      return member.Expected(
          absl::StrCat("a token id or a list of ids in [0, ", vocab_size - 1, "]"));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

absl::Status ReadEos(const JsonNode& fields, const std::string& dir, LlamaConfig& config) {
  WINDOWKV_ASSIGN_OR_RETURN(config.eos_token_ids, ReadEosTokenIds(fields, config.vocab_size));
  if (!fields.value().contains("eos_token_id") && config.vocab_size > kDefaultEosTokenId) {
    config.eos_token_ids = {kDefaultEosTokenId};
  }
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode file, JsonNode::ReadOptionalFile(
                                                     absl::StrCat(dir, "/generation_config.json")));
  if (file.is_null()) return absl::OkStatus();
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode generation, file.Object());
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
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode file,
                            JsonNode::ReadFile(absl::StrCat(dir, "/config.json")));
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode fields, file.Object());
  LlamaConfig config;
  WINDOWKV_RETURN_IF_ERROR(CheckKind(fields));
  WINDOWKV_RETURN_IF_ERROR(ReadArchitecture(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadShape(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadHeadDim(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadSwitches(fields, config));
  WINDOWKV_ASSIGN_OR_RETURN(config.rope, ReadRopeConfig(fields));
  WINDOWKV_RETURN_IF_ERROR(ReadEos(fields, dir, config));
  return config;
}

}  // namespace windowkv
