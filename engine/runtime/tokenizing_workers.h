#ifndef WINDOWKV_ENGINE_RUNTIME_TOKENIZING_WORKERS_H_
#define WINDOWKV_ENGINE_RUNTIME_TOKENIZING_WORKERS_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "engine/request/generation_request.h"
#include "engine/request/token_stream.h"

namespace windowkv {

// A request on its way to the engine thread.
struct PendingRequest {
  GenerationRequest request;
  std::shared_ptr<TokenStream> stream;
  int64_t bytes = 0;                                   // what it counts for in the queue
  absl::Duration arrival;                              // MonotonicNow()
  absl::Duration deadline = absl::InfiniteDuration();  // likewise
};

// Threads that prepare requests, so that neither an RPC thread nor the engine thread tokenises a
// long prompt. The queue is bounded by whoever adds to it. Thread-safe.
class TokenizingWorkers {
 public:
  using Prepare = std::function<void(PendingRequest)>;

  // `prepare` is called on the workers' threads.
  TokenizingWorkers(int num_threads, Prepare prepare);
  // Finishes what is queued, then joins.
  ~TokenizingWorkers();

  void Add(PendingRequest pending);

 private:
  void Run();

  const Prepare prepare_;
  std::mutex mu_;
  std::condition_variable work_cv_;
  std::deque<PendingRequest> queue_ WINDOWKV_GUARDED_BY(mu_);
  bool stopping_ WINDOWKV_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;  // constant after construction
};

}  // namespace windowkv

#endif  // WINDOWKV_ENGINE_RUNTIME_TOKENIZING_WORKERS_H_
