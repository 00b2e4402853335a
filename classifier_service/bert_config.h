#ifndef WINDOWKV_CLASSIFIER_SERVICE_BERT_CONFIG_H_
#define WINDOWKV_CLASSIFIER_SERVICE_BERT_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/task.h"

namespace windowkv {

// What of the encoder's output the classification head is applied to.
enum class ClassifierInput {
  kPooler,  // BERT's pooled output
  kCls,     // the first token's vector
  kMean,    // the mean of all tokens' vectors
};

// A BERT checkpoint's config.json, validated: every number in range, heads divide evenly, nothing
// that would change the arithmetic is left unread. A value.
struct BertConfig {
  int32_t vocab_size = 0;
  int32_t hidden_size = 0;
  int32_t intermediate_size = 0;
  int32_t num_layers = 0;
  int32_t num_heads = 0;
  int32_t head_dim = 0;
  int32_t max_positions = 0;
  int32_t type_vocab_size = 0;
  double layer_norm_eps = 1e-12;
  std::vector<std::string> labels;  // id2label, in the order of ids; may be empty
  ClassifierInput classifier_input = ClassifierInput::kPooler;
  double temperature = 1;  // the head's outputs are divided by it before the softmax; (0, 100]
};

// Reads DIR/config.json, of which "classifier_input" ("pooler", "cls" or "mean") and "temperature"
// are our own and optional. INVALID_ARGUMENT naming the file, the key, what was expected and found;
// UNIMPLEMENTED naming the key for what we do not support (another model_type, activation,
// kind of positions).
absl::StatusOr<BertConfig> LoadBertConfig(const std::string& dir);

// The task each label stands for, in the order of `config.labels`. INVALID_ARGUMENT naming
// DIR/config.json and the label, unless the labels are localization and aggregation, once each, in
// any order and case.
absl::StatusOr<std::vector<Task>> TasksOfLabels(const BertConfig& config, const std::string& dir);

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_BERT_CONFIG_H_
