#ifndef WINDOWKV_CLASSIFIER_SERVICE_TEXT_TURNS_H_
#define WINDOWKV_CLASSIFIER_SERVICE_TEXT_TURNS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "classifier_service/task_classifier.h"

namespace windowkv {

// Texts to classify and whom to tell. A value.
struct ClassificationJob {
  std::vector<std::string_view> texts;  // at least one; valid until `done` is called
  // True when nobody wants the answer any more; valid until `done` is called.
  const std::atomic<bool>* cancelled = nullptr;
  // Called once, with a decision for each text, on the queue's thread; must not block. CANCELLED,
  // UNAVAILABLE when the queue stops first, or the classifier's error.
  std::function<void(absl::StatusOr<std::vector<TaskDecision>>)> done;
};

// A job and how far it is. The queue's thread's, once it is submitted.
struct OpenJob {
  ClassificationJob job;
  bool counted = true;                  // against the queue's limits
  size_t taken = 0;                     // texts that are decided or in the batch
  std::optional<ReadText> read_ahead;   // of the next text, which did not fit into the last batch
  std::vector<TaskDecision> decisions;  // by text
  absl::Status error;                   // of the first text that failed
};

// Who waits and whose turn it is: callers take turns of one text each, the texts of one caller come
// in their order. So a caller with one text waits for one text of each other caller, whatever they
// have, and nobody waits for ever. Not thread-safe.
class TextTurns {
 public:
  using CallerId = int64_t;

  bool empty() const { return turns_.empty(); }

  void Add(CallerId caller, std::unique_ptr<OpenJob> job);

  // The job whose next text it is. Not when empty.
  OpenJob& Front();
  // Its text was taken; the caller's next turn comes after those of the others. The job itself when
  // that was its last text or `give_up`.
  std::unique_ptr<OpenJob> Pop(bool give_up);

 private:
  std::deque<CallerId> turns_;  // callers who wait, each once
  std::unordered_map<CallerId, std::deque<std::unique_ptr<OpenJob>>> jobs_;
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_TEXT_TURNS_H_
