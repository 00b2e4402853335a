#ifndef WINDOWKV_CLASSIFIER_SERVICE_TASK_CLASSIFIER_H_
#define WINDOWKV_CLASSIFIER_SERVICE_TASK_CLASSIFIER_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/task.h"

namespace windowkv {

// A half-open range of a text's characters, in Unicode code points.
struct CharacterSpan {
  int64_t begin = 0;
  int64_t end = 0;
};

// A text with this share of unfamiliar pieces or more is not decided: all classes get the same
// probability. Of 570 real English prompts none has more than 0.04; prompts in Russian, Chinese,
// Korean, Arabic and Japanese have 0.9 and more.
inline constexpr float kUndecidedFrom = 0.3F;

// What a classifier reads of one text. A value.
struct ReadText {
  std::vector<int32_t> ids;         // of the pieces read, special tokens included
  std::vector<CharacterSpan> read;  // all of the text, or its beginning and its end
  bool truncated = false;           // the middle of the text was left out
  float unfamiliar = 0;             // share of the pieces that say nothing to the model, [0, 1]
};

// What a classifier says of one text. A value.
struct TaskDecision {
  struct Probability {
    Task task = Task::kLocalization;
    float probability = 0;
  };
  Task task = Task::kLocalization;         // the most probable; the first of equals
  float confidence = 0;                    // its probability, [0, 1]
  std::vector<Probability> probabilities;  // one per class, adding up to 1
  int32_t tokens_read = 0;                 // special tokens included
  std::vector<CharacterSpan> read;
  bool truncated = false;
  float unfamiliar = 0;
};

// Decides what kind of task a prompt is. Owned by main; thread-safe. Calls compute on the calling
// thread.
class TaskClassifier {
 public:
  virtual ~TaskClassifier() = default;

  // Cuts a text into what is read of it: takes well under a millisecond, also for a long text.
  virtual ReadText Read(std::string_view text) const = 0;

  // One decision per text, in order; takes milliseconds per text. What is decided of a text does
  // not depend on the others. INTERNAL or RESOURCE_EXHAUSTED (memory) when the computation fails.
  virtual absl::StatusOr<std::vector<TaskDecision>> Decide(
      std::span<const ReadText> texts) const = 0;
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_TASK_CLASSIFIER_H_
