#ifndef WINDOWKV_CLIENT_COMMAND_LINE_INTERRUPTS_H_
#define WINDOWKV_CLIENT_COMMAND_LINE_INTERRUPTS_H_

#include <atomic>
#include <thread>

#include "client/cancellation.h"

namespace windowkv::client {

// Turns the first SIGINT or SIGTERM into Cancellation::Cancel, on a thread of its own because
// cancelling is not allowed in a signal handler. A second signal ends the process at once, and so
// do three seconds in which it has not ended by itself. Make it in main() before any other thread
// starts: threads inherit the blocked signals.
class Interrupts {
 public:
  explicit Interrupts(Cancellation* cancellation);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // What shells make of the first signal: 128 and its number.
  int exit_code() const { return 128 + signal_; }

 private:
  void Wait();

  Cancellation* const cancellation_;  // not owned
  const int stop_event_;              // eventfd: readable when the thread must end
  int signals_ = -1;                  // signalfd
  std::atomic<int> signal_ = 0;       // the first; set before the cancellation
  std::thread thread_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_COMMAND_LINE_INTERRUPTS_H_
