#ifndef WINDOWKV_SERVER_RPC_SLOW_READERS_H_
#define WINDOWKV_SERVER_RPC_SLOW_READERS_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/base/thread_annotations.h"
#include "grpcpp/server_context.h"

namespace windowkv {

// Finds the calls whose client does not take its messages, with a thread of its own: gRPC only says
// when a write is done, so a client that stopped reading would hold its request for ever. Owned by
// main; outlives the gRPC server. Thread-safe.
class SlowReaders {
 public:
  // A call as this class sees it. Added before its first write, removed before it is destroyed.
  class Call {
   public:
    virtual ~Call() = default;

   protected:
    // Around each write; one is in flight at most.
    void WriteBegins();
    void WriteEnds() { write_began_ns_ = kNoWrite; }

   private:
    friend class SlowReaders;
    static constexpr int64_t kNoWrite = -1;

    // Both are called by the thread of SlowReaders, not after Remove, and must not block or call
    // Add or Remove.
    //
    // A write takes longer than the timeout: give up the work behind the call, which ends with
    // Error() once the client reads on.
    virtual void GiveUp() = 0;
    // The client did not read on within another timeout: see CutOff.
    virtual void Cut() = 0;

    std::atomic<int64_t> write_began_ns_{kNoWrite};  // by MonotonicNow()
    bool given_up_ = false;                          // the watching thread's
  };

  // `timeout` above 0; infinite: readers may take any time. `on_slow_reader` hears of each call
  // that is given up.
  SlowReaders(absl::Duration timeout, std::function<void()> on_slow_reader);
  ~SlowReaders();
  SlowReaders(const SlowReaders&) = delete;
  SlowReaders& operator=(const SlowReaders&) = delete;

  void Add(Call* call);
  void Remove(Call* call);

  // RESOURCE_EXHAUSTED without a retry delay, since waiting does not help.
  absl::Status Error() const;
  // Ends a call over the messages that its client has not taken. There is no room for details then:
  // the client gets Error()'s code and message.
  void CutOff(grpc::CallbackServerContext* context) const;

 private:
  void Run();  // the watching thread
  void Check(Call* call, absl::Duration now) const;

  const absl::Duration timeout_;
  const std::function<void()> on_slow_reader_;

  std::mutex mu_;
  std::condition_variable changed_;
  std::set<Call*> calls_ WINDOWKV_GUARDED_BY(mu_);
  bool stopping_ WINDOWKV_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_SLOW_READERS_H_
