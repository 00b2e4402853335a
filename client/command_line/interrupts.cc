#include "client/command_line/interrupts.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace windowkv::client {
namespace {

// A command that reads its input, and gets none, does not see the cancellation.
constexpr int kGraceMilliseconds = 3000;

}  // namespace

Interrupts::Interrupts(Cancellation* cancellation)
    : cancellation_(cancellation), stop_event_(eventfd(0, EFD_CLOEXEC)) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  thread_ = std::thread([this] { Wait(); });
}

Interrupts::~Interrupts() {
  eventfd_write(stop_event_, 1);
  thread_.join();
  close(signals_);
  close(stop_event_);
}

void Interrupts::Wait() {
  pollfd events[] = {{stop_event_, POLLIN, 0}, {signals_, POLLIN, 0}};
  while ((events[0].revents & POLLIN) == 0) {
    const int ready = poll(events, 2, signal_ == 0 ? -1 : kGraceMilliseconds);
    if (ready < 0) return;
    if (ready == 0) _exit(exit_code());
    if ((events[1].revents & POLLIN) == 0) continue;
    signalfd_siginfo signal;
    if (read(signals_, &signal, sizeof(signal)) != sizeof(signal)) continue;
    if (signal_ != 0) _exit(exit_code());
    signal_ = static_cast<int>(signal.ssi_signo);
    cancellation_->Cancel();
  }
}

}  // namespace windowkv::client
