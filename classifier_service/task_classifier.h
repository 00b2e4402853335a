#ifndef WINDOWKV_CLASSIFIER_SERVICE_TASK_CLASSIFIER_H_
#define WINDOWKV_CLASSIFIER_SERVICE_TASK_CLASSIFIER_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/task.h"

namespace windowkv {

// What a classifier says of one text. A value.
struct TaskDecision {
  struct Probability {
    Task task = Task::kLocalization;
    float probability = 0;
  };
  Task task = Task::kLocalization;         // the most probable
  float confidence = 0;                    // its probability, [0, 1]
  std::vector<Probability> probabilities;  // one per class, adding up to 1
  int32_t tokens_read = 0;                 // special tokens included
  bool truncated = false;                  // the middle of the text was left out
};

// Decides what kind of task a prompt is. Owned by main; thread-safe. Calls compute on the calling
// thread and take milliseconds per text.
class TaskClassifier {
 public:
  virtual ~TaskClassifier() = default;

  // One decision per text, in order. INTERNAL or RESOURCE_EXHAUSTED (memory) when the
  // computation fails.
  virtual absl::StatusOr<std::vector<TaskDecision>> Classify(
      std::span<const std::string_view> texts) const = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_TASK_CLASSIFIER_H_
