#ifndef WINDOWKV_CLASSIFIER_SERVICE_CLASSIFY_STREAM_H_
#define WINDOWKV_CLASSIFIER_SERVICE_CLASSIFY_STREAM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "classifier_service/call_record.h"
#include "classifier_service/classification_queue.h"
#include "engine/base/thread_annotations.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/slow_readers.h"
#include "windowkv/v1/classifier.pb.h"

namespace windowkv {

// A stream stops reading while so much of it is unanswered; one more text may come over the bytes.
inline constexpr size_t kStreamTexts = 32;
inline constexpr size_t kStreamBytes = 1 << 20;

// One ClassifyStream call: hands its texts to the queue as they come and writes the answers in
// their order, one write and one read in flight at most. gRPC owns it until OnDone, when it deletes
// itself.
class ClassifyStream final
    : public grpc::ServerBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>,
      private SlowReaders::Call {
 public:
  struct Context {
    ClassificationQueue* queue;                    // outlives the call
    CallRecord::Shared* shared;                    // likewise
    SlowReaders* slow_readers;                     // likewise
    grpc::CallbackServerContext* server;           // the call's own
    TraceContext trace;                            // that the call belongs to
    const std::string* model;                      // likewise; names the checkpoint
    std::function<void(ClassifyStream*)> on_done;  // called last
  };

  explicit ClassifyStream(Context context);

  // Begins to read. Called once, by whoever made it.
  void Begin();
  // Reads no further; what was read is answered, then the call ends with UNAVAILABLE. Any thread.
  void Drain();

 private:
  // A text that has come and whose answer is not written yet.
  struct Text {
    std::string text;
    v1::ClassifyStreamResponse answer;
    bool answered = false;
  };

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // SlowReaders::Call.
  void GiveUp() override;
  void Cut() override { context_.slow_readers->CutOff(context_.server); }

  void TakeLocked();
  absl::Status CheckFirstLocked();
  // The call has a place among the queue's streams while a text of it is unanswered: one that is
  // idle keeps nobody out.
  absl::Status EnterLocked();
  void LeaveLocked();
  void SubmitLocked(Text& text);
  void OnDecided(Text& text, absl::StatusOr<ClassificationQueue::Decisions> decisions);
  void AnswerLocked(Text& text, const absl::Status& error);
  // The call ends with `status` once what was read is answered.
  void EndLocked(const absl::Status& status);
  // Does what can be done next: write, read, finish.
  void ProceedLocked();

  const Context context_;
  std::atomic<bool> cancelled_ = false;  // or given up

  std::mutex mu_;
  CallRecord record_ WINDOWKV_GUARDED_BY(mu_);
  v1::ClassifyStreamRequest incoming_;  // gRPC's while a read is in flight
  // In the order they came; a deque leaves its elements where they are. The first one's answer is
  // gRPC's while a write is in flight.
  std::deque<Text> texts_ WINDOWKV_GUARDED_BY(mu_);
  size_t unanswered_bytes_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int64_t received_ WINDOWKV_GUARDED_BY(mu_) = 0;
  int64_t queued_ WINDOWKV_GUARDED_BY(mu_) = 0;  // texts that the queue has
  std::string request_id_ WINDOWKV_GUARDED_BY(mu_);
  std::optional<ClassificationQueue::StreamId> stream_ WINDOWKV_GUARDED_BY(mu_);
  absl::Status status_ WINDOWKV_GUARDED_BY(mu_);
  bool reading_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool read_all_ WINDOWKV_GUARDED_BY(mu_) = false;  // no further text is taken
  bool writing_ WINDOWKV_GUARDED_BY(mu_) = false;
  bool finished_ WINDOWKV_GUARDED_BY(mu_) = false;  // Finish was called
};

}  // namespace windowkv

#endif  // WINDOWKV_CLASSIFIER_SERVICE_CLASSIFY_STREAM_H_
