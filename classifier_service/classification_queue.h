#ifndef WINDOWKV_CLASSIFIER_SERVICE_CLASSIFICATION_QUEUE_H_
#define WINDOWKV_CLASSIFIER_SERVICE_CLASSIFICATION_QUEUE_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "classifier_service/task_classifier.h"
#include "classifier_service/text_turns.h"
#include "engine/base/thread_annotations.h"

namespace windowkv {

// Runs classifications on one thread of its own, so that RPC threads never wait. Texts of different
// callers are computed together, in batches of so many pieces as keep the processor busy and no
// more: a text that comes waits for one batch and its turn (TextTurns). Nothing waits for a batch
// to fill. Owned by main; thread-safe.
class ClassificationQueue {
 public:
  struct Limits {
    int64_t waiting_texts = 1024;
    int64_t waiting_bytes = 64 << 20;
    int64_t streams = 64;
  };
  using Job = ClassificationJob;
  using Decisions = std::vector<TaskDecision>;
  using StreamId = int64_t;

  // `classifier` outlives this.
  ClassificationQueue(const TaskClassifier* classifier, Limits limits);
  // Ends the jobs that wait.
  ~ClassificationQueue();
  ClassificationQueue(const ClassificationQueue&) = delete;
  ClassificationQueue& operator=(const ClassificationQueue&) = delete;

  // RESOURCE_EXHAUSTED with a retry delay: too much waits. UNAVAILABLE: draining. After an error
  // `done` is not called. A job larger than the limits is taken when nothing else waits.
  absl::Status Submit(Job job);

  // A stream's jobs take turns as those of one caller, and are not counted against the limits of
  // what waits: the stream bounds them. RESOURCE_EXHAUSTED with a retry delay: too many streams.
  // UNAVAILABLE: draining.
  absl::StatusOr<StreamId> OpenStream();
  // UNAVAILABLE: draining; `done` is not called then.
  absl::Status SubmitTo(StreamId stream, Job job);
  // All of its jobs are done.
  void CloseStream(StreamId stream);

  // Refuses new jobs and streams and waits for the accepted jobs, at most `timeout`.
  void Drain(absl::Duration timeout);

  // How long the classifier has been at its present batch; zero when idle.
  absl::Duration BusyFor() const;

 private:
  // Texts that are computed together.
  struct Batch {
    struct Origin {
      OpenJob* job = nullptr;
      size_t text = 0;
    };
    std::vector<ReadText> texts;
    std::vector<Origin> origins;                    // by text
    size_t pieces = 0;                              // of all texts
    std::vector<std::unique_ptr<OpenJob>> leaving;  // jobs that end with this batch
  };

  absl::Status CheckOpenLocked() const;
  void AddLocked(TextTurns::CallerId caller, Job job, bool counted);
  void Run();
  Batch TakeBatch(std::unique_lock<std::mutex>& lock);
  void Decide(Batch& batch) const;
  // Tells the job's owner.
  static void End(OpenJob& job);
  static int64_t BytesOf(const std::vector<std::string_view>& texts);
  absl::Duration RetryDelayLocked() const;

  const TaskClassifier* const classifier_;
  const Limits limits_;
  mutable std::mutex mu_;
  std::condition_variable changed_;
  TextTurns turns_ WINDOWKV_GUARDED_BY(mu_);
  TextTurns::CallerId next_caller_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int64_t open_streams_ WINDOWKV_GUARDED_BY(mu_) = 0;
  // Waiting, and in the present batch.
  int64_t open_jobs_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int64_t open_texts_ WINDOWKV_GUARDED_BY(mu_) = 0;     // of all jobs
  int64_t counted_jobs_ WINDOWKV_GUARDED_BY(mu_) = 0;   // without those of streams
  int64_t counted_texts_ WINDOWKV_GUARDED_BY(mu_) = 0;  // likewise
  int64_t counted_bytes_ WINDOWKV_GUARDED_BY(mu_) = 0;  // likewise
  std::optional<absl::Duration> batch_began_ WINDOWKV_GUARDED_BY(mu_);
  absl::Duration time_per_text_ WINDOWKV_GUARDED_BY(mu_) = absl::Milliseconds(20);
  bool draining_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool stopping_ WINDOWKV_GUARDED_BY(mu_) = false;
  std::thread worker_;  // last: it uses all of the above
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_CLASSIFICATION_QUEUE_H_
