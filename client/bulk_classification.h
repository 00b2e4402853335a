#ifndef WINDOWKV_CLIENT_BULK_CLASSIFICATION_H_
#define WINDOWKV_CLIENT_BULK_CLASSIFICATION_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>
#include <windowkv/v1/classifier.pb.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace windowkv::client {

// Gives the next text, or why there is none in its place; nothing after the last one.
using TextSource = std::function<std::optional<absl::StatusOr<std::string>>()>;
// Takes what became of the text of `index`, counted from 0: its classification, the server's error
// for it, or the source's.
using ClassificationSink =
    std::function<void(int64_t index, const absl::StatusOr<v1::ClassifyStreamResponse>& answer)>;

// One ClassifyStream call while it runs: sends texts on a thread of its own while answers are read,
// and brings the errors of the source in their place among the answers. Holds no text that was
// sent, and sends none while 1,024 are not answered. Made for one call.
class BulkClassification {
 public:
  using Stream =
      grpc::ClientReaderWriterInterface<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>;

  // See Client::ClassifyStream.
  BulkClassification(const TextSource& source, const ClassificationSink& sink)
      : source_(source), sink_(sink) {}

  // Returns when the stream has ended, before Finish. INTERNAL: the server broke the protocol, and
  // the call was cancelled by `context`; OK: see Finish.
  absl::Status Run(Stream* stream, grpc::ClientContext* context);

  // After Run: texts that the server answered, and INTERNAL when there is one that it did not.
  int64_t answered() const { return answered_; }
  absl::Status CheckComplete() const;

 private:
  void Send(Stream* stream);
  bool WaitForRoom();
  // Counts the text as sent, or as not to be sent.
  void Enqueue(const absl::Status& status);
  absl::Status Take(const v1::ClassifyStreamResponse& response);
  void PassErrorsLocked();
  void PassLocked(const absl::StatusOr<v1::ClassifyStreamResponse>& answer);

  const TextSource& source_;        // called by the sending thread
  const ClassificationSink& sink_;  // called under mu_

  mutable std::mutex mu_;
  std::condition_variable changed_;
  // Guarded by mu_ while Run runs. Texts without an answer, in order: OK when sent.
  std::deque<absl::Status> waiting_;
  int64_t passed_ = 0;
  int64_t answered_ = 0;
  bool over_ = false;

  bool exhausted_ = false;  // the source; the sending thread's, then CheckComplete's
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_BULK_CLASSIFICATION_H_
