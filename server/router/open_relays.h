#ifndef WINDOWKV_SERVER_ROUTER_OPEN_RELAYS_H_
#define WINDOWKV_SERVER_ROUTER_OPEN_RELAYS_H_

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"

namespace windowkv {

// The streams that run through a router: a shutdown can wait for them, and the prompts of those
// that no backend has begun to read, which are kept in case another is to be tried, stay within a
// limit. Owned by main; outlives the gRPC server. Thread-safe.
class OpenRelays {
 public:
  class Relay {
   public:
    virtual ~Relay() = default;
    // Ends the call with `reason` soon. Must not block, nor call Add or Remove.
    virtual void EndEarly(const absl::Status& reason) = 0;
  };

  explicit OpenRelays(int64_t max_waiting_bytes) : max_waiting_bytes_(max_waiting_bytes) {}

  // UNAVAILABLE once draining began; RESOURCE_EXHAUSTED with a retry delay when the prompts of
  // `prompt_bytes` would be more than the limit, unless no other waits. The relay is not added
  // then.
  absl::Status Add(Relay* relay, int64_t prompt_bytes);
  // A backend reads the relay's prompt, which the relay does not keep any more.
  void ForgetPrompt(Relay* relay);
  // Before the relay is destroyed; does nothing for one that was not added.
  void Remove(Relay* relay);

  // Lets no relay in any more, waits at most `timeout` for those that run and ends the rest.
  void Drain(absl::Duration timeout);
  bool draining() const;

 private:
  const int64_t max_waiting_bytes_;

  mutable std::mutex mu_;
  std::condition_variable removed_;
  std::map<Relay*, int64_t> relays_ WINDOWKV_GUARDED_BY(mu_);  // and their prompts' bytes
  int64_t waiting_bytes_ WINDOWKV_GUARDED_BY(mu_) = 0;
  bool draining_ WINDOWKV_GUARDED_BY(mu_) = false;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_OPEN_RELAYS_H_
