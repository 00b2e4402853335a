#ifndef WINDOWKV_ENGINE_RUNTIME_ENGINE_INBOX_H_
#define WINDOWKV_ENGINE_RUNTIME_ENGINE_INBOX_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "engine/request/sequence.h"

namespace windowkv {

// What other threads tell the engine thread, which alone takes it. Thread-safe.
class EngineInbox {
 public:
  struct News {
    std::vector<std::unique_ptr<Sequence>> added;
    absl::Status abort;     // not OK: what every sequence ends with, from now on
    bool stopping = false;  // nothing comes any more
  };

  void Add(std::unique_ptr<Sequence> sequence);
  // Something has changed that the engine thread looks at by itself.
  void Wake();
  // Every sequence is to end with `status`; the first one counts.
  void Abort(const absl::Status& status);
  void Stop();

  // What has come since the last call. Waits for it until `deadline`, by MonotonicNow().
  News Take(absl::Duration deadline);

 private:
  std::mutex mu_;
  std::condition_variable news_cv_;
  std::vector<std::unique_ptr<Sequence>> added_ WINDOWKV_GUARDED_BY(mu_);
  bool woken_ WINDOWKV_GUARDED_BY(mu_) = false;
  absl::Status abort_ WINDOWKV_GUARDED_BY(mu_);
  bool stopping_ WINDOWKV_GUARDED_BY(mu_) = false;
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_ENGINE_INBOX_H_
