#ifndef WINDOWKV_CLASSIFIER_SERVICE_CLASSIFICATION_QUEUE_H_
#define WINDOWKV_CLASSIFIER_SERVICE_CLASSIFICATION_QUEUE_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "classifier_service/task_classifier.h"
#include "engine/base/thread_annotations.h"

namespace windowkv {

// Runs classifications on one thread of its own, so that RPC threads never wait. Jobs take turns of
// a few texts each: a short prompt does not wait for a whole batch job. Owned by main; thread-safe.
class ClassificationQueue {
 public:
  struct Limits {
    int64_t waiting_texts = 1024;
    int64_t waiting_bytes = 64 << 20;
  };
  using Decisions = std::vector<TaskDecision>;

  struct Job {
    std::vector<std::string_view> texts;  // valid until `done` is called
    // True when nobody wants the answer any more; valid until `done` is called.
    const std::atomic<bool>* cancelled = nullptr;
    // Called once on the queue's thread; must not block. CANCELLED, UNAVAILABLE when the queue
    // stops first, or the classifier's error.
    std::function<void(absl::StatusOr<Decisions>)> done;
  };

  // `classifier` outlives this.
  ClassificationQueue(const TaskClassifier* classifier, Limits limits);
  // Ends the jobs that wait.
  ~ClassificationQueue();
  ClassificationQueue(const ClassificationQueue&) = delete;
  ClassificationQueue& operator=(const ClassificationQueue&) = delete;

  // RESOURCE_EXHAUSTED with a retry delay: too much waits. UNAVAILABLE: draining. After an error
  // `done` is not called. A job larger than the limits is taken when nothing else waits.
  absl::Status Submit(Job job);

  // Refuses new jobs and waits for the accepted ones, at most `timeout`.
  void Drain(absl::Duration timeout);

  // How long the classifier has been at its present few texts; zero when idle.
  absl::Duration BusyFor() const;

 private:
  struct Running {
    Job job;
    Decisions decisions;
  };
  struct Turn {
    bool ended = false;  // `done` was called
    size_t texts = 0;    // classified
  };

  void Run();
  // Classifies the job's next texts.
  Turn TakeTurn(Running& running) const;
  static Turn Refuse(Running& running);
  static int64_t BytesOf(const std::vector<std::string_view>& texts);
  absl::Duration RetryDelayLocked() const;

  const TaskClassifier* const classifier_;
  const Limits limits_;
  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::deque<Running> waiting_ WINDOWKV_GUARDED_BY(mu_);
  int64_t open_jobs_ WINDOWKV_GUARDED_BY(mu_) = 0;  // waiting, and in its turn
  int64_t open_texts_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int64_t open_bytes_ WINDOWKV_GUARDED_BY(mu_) = 0;
  std::optional<absl::Duration> turn_began_ WINDOWKV_GUARDED_BY(mu_);
  absl::Duration time_per_text_ WINDOWKV_GUARDED_BY(mu_) = absl::Milliseconds(20);
  bool draining_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool stopping_ WINDOWKV_GUARDED_BY(mu_) = false;
  std::thread worker_;  // last: it uses all of the above
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_CLASSIFICATION_QUEUE_H_
