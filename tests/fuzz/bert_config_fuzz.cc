#include "classifier_service/bert_config.h"
#include "engine/base/status.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/model_directory.h"

namespace windowkv {
namespace {

bool InRange(int64_t value, int64_t low, int64_t high) { return value >= low && value <= high; }

absl::Status CheckConfig(const BertConfig& config) {
  if (!InRange(config.vocab_size, 1, 1 << 24) || !InRange(config.hidden_size, 1, 1 << 20) ||
      !InRange(config.intermediate_size, 1, 1 << 20) || !InRange(config.num_layers, 1, 4096) ||
      !InRange(config.max_positions, 3, 1 << 20) || !InRange(config.type_vocab_size, 1, 1024)) {
    return Broken("sizes are in range");
  }
  if (config.num_heads < 1 || config.head_dim < 1 ||
      config.num_heads * config.head_dim != config.hidden_size) {
    return Broken("heads divide evenly");
  }
  if (!(config.layer_norm_eps >= 0 && config.layer_norm_eps <= 1))
    return Broken("epsilon is small");
  if (!(config.temperature > 0 && config.temperature <= 100)) {
    return Broken("the temperature divides");
  }
  return absl::OkStatus();
}

}  // namespace

// A config.json.
absl::Status FuzzBertConfig(std::string_view input) {
  const ModelDirectory dir;
  dir.Write("config.json", input);
  const auto config = LoadBertConfig(dir.path());
  if (!config.ok()) {
    return CheckRefusal(config.status(),
                        {absl::StatusCode::kInvalidArgument, absl::StatusCode::kUnimplemented},
                        dir.path());
  }
  WINDOWKV_RETURN_IF_ERROR(CheckConfig(*config));
  const auto tasks = TasksOfLabels(*config, dir.path());
  if (!tasks.ok()) {
    return CheckRefusal(tasks.status(), {absl::StatusCode::kInvalidArgument}, dir.path());
  }
  if (tasks->size() != 2 || tasks->front() == tasks->back()) {
    return Broken("the labels are the two tasks");
  }
  return absl::OkStatus();
}

}  // namespace windowkv
