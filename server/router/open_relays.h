#ifndef WINDOWKV_SERVER_ROUTER_OPEN_RELAYS_H_
#define WINDOWKV_SERVER_ROUTER_OPEN_RELAYS_H_

#include <condition_variable>
#include <mutex>
#include <set>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"

namespace windowkv {

// The streams that run through a router, so that a shutdown can wait for them. Owned by main;
// outlives the gRPC server. Thread-safe.
class OpenRelays {
 public:
  class Relay {
   public:
    virtual ~Relay() = default;
    // Ends the call with `reason` soon. Must not block, nor call Add or Remove.
    virtual void EndEarly(const absl::Status& reason) = 0;
  };

  // UNAVAILABLE once draining began; the relay is not added then.
  absl::Status Add(Relay* relay);
  // Before the relay is destroyed; does nothing for one that was not added.
  void Remove(Relay* relay);

  // Lets no relay in any more, waits at most `timeout` for those that run and ends the rest.
  void Drain(absl::Duration timeout);
  bool draining() const;

 private:
  mutable std::mutex mu_;
  std::condition_variable removed_;
  std::set<Relay*> relays_ WINDOWKV_GUARDED_BY(mu_);
  bool draining_ WINDOWKV_GUARDED_BY(mu_) = false;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_OPEN_RELAYS_H_
