#ifndef WINDOWKV_SERVER_ROUTER_LOAD_POLLER_H_
#define WINDOWKV_SERVER_ROUTER_LOAD_POLLER_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>

#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "server/router/backend_pool.h"

namespace windowkv {

// Asks every backend for its load again and again and tells the pool. A backend that does not
// answer in time holds up nobody else's report. Owned by main, destroyed before the pool.
class LoadPoller {
 public:
  struct Options {
    // From one round to the next; infinite: only PollNow asks.
    absl::Duration interval = absl::Milliseconds(500);
    // For one answer; a backend that takes longer is unhealthy.
    absl::Duration timeout = absl::Seconds(1);
  };

  LoadPoller(BackendPool* pool, Options options);
  ~LoadPoller();
  LoadPoller(const LoadPoller&) = delete;
  LoadPoller& operator=(const LoadPoller&) = delete;

  // Asks every backend and waits for the answers, at most `timeout` long. Whoever is being asked
  // already is not asked again: that answer is waited for.
  void PollNow();

 private:
  struct Poll;

  void Run();  // the polling thread
  void StartRound();
  void Start(Backend* backend);
  void OnDone(Poll* poll, const grpc::Status& status);

  BackendPool* const pool_;  // not owned
  const Options options_;

  std::mutex mu_;
  std::condition_variable changed_;
  bool stopping_ WINDOWKV_GUARDED_BY(mu_) = false;
  // Each deletes itself in OnDone.
  std::set<Poll*> polls_ WINDOWKV_GUARDED_BY(mu_);
  int64_t started_ WINDOWKV_GUARDED_BY(mu_) = 0;  // polls, so far
  std::thread thread_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_LOAD_POLLER_H_
