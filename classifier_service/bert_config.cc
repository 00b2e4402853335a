#include "classifier_service/bert_config.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status.h"
#include "engine/json/json_node.h"

namespace windowkv {
namespace {

using IntRange = JsonNode::Range<int64_t>;

// Upper limits, far above any model; sizes of tensors stay below 2^63.
constexpr IntRange kVocabSize = {1, 1 << 24};
constexpr IntRange kHiddenSize = {1, 1 << 20};
constexpr IntRange kNumLayers = {1, 4096};
constexpr IntRange kNumHeads = {1, 4096};
constexpr IntRange kMaxPositions = {3, 1 << 20};  // [CLS], a piece, [SEP]
constexpr IntRange kTypeVocabSize = {1, 1024};
constexpr double kMaxTemperature = 100;

std::string ConfigPath(const std::string& dir) { return absl::StrCat(dir, "/config.json"); }

absl::Status CheckKind(const JsonNode& fields) {
  struct Supported {
    const char* key;
    const char* value;
    bool required;
  };
  for (const auto& [key, value, required] :
       {Supported{"model_type", "bert", true}, Supported{"hidden_act", "gelu", false},
        Supported{"position_embedding_type", "absolute", false}}) {
    WINDOWKV_ASSIGN_OR_RETURN(const std::string found,
                              required ? fields[key].String() : fields[key].StringOr(value));
    if (found != value) {
      return fields[key].Unsupported(absl::StrCat("\"", value, "\""));
    }
  }
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    WINDOWKV_ASSIGN_OR_RETURN(const bool set, fields[key].BoolOr(false));
    if (set) return fields[key].Unsupported("false");
  }
  if (!fields["quantization_config"].is_null()) {
    return fields["quantization_config"].Unsupported("null");
  }
  return absl::OkStatus();
}

absl::Status ReadShape(const JsonNode& fields, BertConfig& config) {
  struct Member {
    const char* key;
    IntRange range;
    int32_t& into;
  };
  for (const auto& [key, range, into] :
       {Member{"vocab_size", kVocabSize, config.vocab_size},
        Member{"hidden_size", kHiddenSize, config.hidden_size},
        Member{"intermediate_size", kHiddenSize, config.intermediate_size},
        Member{"num_hidden_layers", kNumLayers, config.num_layers},
        Member{"num_attention_heads", kNumHeads, config.num_heads},
        Member{"max_position_embeddings", kMaxPositions, config.max_positions},
        Member{"type_vocab_size", kTypeVocabSize, config.type_vocab_size}}) {
    WINDOWKV_ASSIGN_OR_RETURN(into, fields[key].Int(range));
  }
  if (config.hidden_size % config.num_heads != 0) {
    return fields["hidden_size"].Expected(
        absl::StrCat("a multiple of num_attention_heads ", config.num_heads));
  }
  config.head_dim = config.hidden_size / config.num_heads;
  WINDOWKV_ASSIGN_OR_RETURN(config.layer_norm_eps,
                            fields["layer_norm_eps"].NumberOr(1e-12, {0, 1}));
  return absl::OkStatus();
}

// id2label is an object with the ids "0", "1", … as keys.
absl::Status ReadLabels(const JsonNode& fields, BertConfig& config) {
  if (fields["id2label"].is_null()) return absl::OkStatus();
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode by_id, fields["id2label"].Object());
  for (size_t id = 0; id < by_id.size(); ++id) {
    WINDOWKV_ASSIGN_OR_RETURN(std::string label, by_id[absl::StrCat(id)].String());
    config.labels.push_back(std::move(label));
  }
  return absl::OkStatus();
}

absl::Status ReadHead(const JsonNode& fields, BertConfig& config) {
  WINDOWKV_ASSIGN_OR_RETURN(const std::string input, fields["classifier_input"].StringOr("pooler"));
  if (input == "pooler") {
    config.classifier_input = ClassifierInput::kPooler;
  } else if (input == "cls") {
    config.classifier_input = ClassifierInput::kCls;
  } else if (input == "mean") {
    config.classifier_input = ClassifierInput::kMean;
  } else {
    return fields["classifier_input"].Expected("\"pooler\", \"cls\" or \"mean\"");
  }
  WINDOWKV_ASSIGN_OR_RETURN(config.temperature,
                            fields["temperature"].NumberOr(1, {0, kMaxTemperature}));
  if (config.temperature == 0) return fields["temperature"].Expected("a number above 0");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BertConfig> LoadBertConfig(const std::string& dir) {
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode file, JsonNode::ReadFile(ConfigPath(dir)));
  WINDOWKV_ASSIGN_OR_RETURN(const JsonNode fields, file.Object());
  BertConfig config;
  WINDOWKV_RETURN_IF_ERROR(CheckKind(fields));
  WINDOWKV_RETURN_IF_ERROR(ReadShape(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadLabels(fields, config));
  WINDOWKV_RETURN_IF_ERROR(ReadHead(fields, config));
  return config;
}

absl::StatusOr<std::vector<Task>> TasksOfLabels(const BertConfig& config, const std::string& dir) {
  const auto error = [&] {
    return absl::InvalidArgumentError(absl::StrCat(
        ConfigPath(dir), ": id2label: expected the labels localization and aggregation, found [",
        absl::StrJoin(config.labels, ", "), "]"));
  };
  std::vector<Task> tasks;
  for (const std::string& label : config.labels) {
    const std::string name = absl::AsciiStrToLower(label);
    if (name != "localization" && name != "aggregation") return error();
    const Task task = name == "localization" ? Task::kLocalization : Task::kAggregation;
    if (std::find(tasks.begin(), tasks.end(), task) != tasks.end()) return error();
    tasks.push_back(task);
  }
  if (tasks.size() != 2) return error();
  return tasks;
}

}  // namespace windowkv
