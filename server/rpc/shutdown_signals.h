#ifndef WINDOWKV_SERVER_RPC_SHUTDOWN_SIGNALS_H_
#define WINDOWKV_SERVER_RPC_SHUTDOWN_SIGNALS_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "engine/base/thread_annotations.h"

namespace windowkv {

// SIGTERM and SIGINT of the process. Made first in main, before any other thread, so that every
// thread inherits the blocked signals and only the one in here receives them.
//
// Until Arm is called (the program still starts) a signal ends the process at once, with the exit
// code a shell gives for a killed program; so does a second signal.
class ShutdownSignals {
 public:
  static absl::StatusOr<std::unique_ptr<ShutdownSignals>> Create();
  ~ShutdownSignals();

  // From now on the first signal is kept for Wait.
  void Arm();
  // Arms, waits for the first signal and returns its number. One caller.
  int Wait();

 private:
  ShutdownSignals(int signal_fd, int stop_fd);
  void Listen();
  void OnSignal(int signal);

  const int signal_fd_;
  const int stop_fd_;
  std::mutex mu_;
  std::condition_variable signal_cv_;
  bool armed_ WINDOWKV_GUARDED_BY(mu_) = false;
  int received_ WINDOWKV_GUARDED_BY(mu_) = 0;  // 0: none yet
  std::thread listener_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_SHUTDOWN_SIGNALS_H_
