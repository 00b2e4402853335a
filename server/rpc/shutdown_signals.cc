#include "server/rpc/shutdown_signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"

namespace windowkv {
namespace {

// What a shell reports for a program that a signal killed.
constexpr int kSignalExitBase = 128;

}  // namespace

absl::StatusOr<std::unique_ptr<ShutdownSignals>> ShutdownSignals::Create() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (const int error = pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
    return absl::ErrnoToStatus(error, "pthread_sigmask");
  }
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  if (signal_fd < 0) return absl::ErrnoToStatus(errno, "signalfd");
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0) {
    const int error = errno;
    close(signal_fd);
    return absl::ErrnoToStatus(error, "eventfd");
  }
  return std::unique_ptr<ShutdownSignals>(new ShutdownSignals(signal_fd, stop_fd));
}

ShutdownSignals::ShutdownSignals(int signal_fd, int stop_fd)
    : signal_fd_(signal_fd), stop_fd_(stop_fd), listener_([this] { Listen(); }) {}

ShutdownSignals::~ShutdownSignals() {
  eventfd_write(stop_fd_, 1);
  listener_.join();
  close(stop_fd_);
  close(signal_fd_);
}

void ShutdownSignals::Arm() {
  std::lock_guard lock(mu_);
  armed_ = true;
}

int ShutdownSignals::Wait() {
  std::unique_lock lock(mu_);
  armed_ = true;
  signal_cv_.wait(lock, [this] { return received_ != 0; });
  return received_;
}

void ShutdownSignals::Listen() {
  pollfd waits[] = {{signal_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
  while (true) {
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    signalfd_siginfo info;
    if ((waits[0].revents & POLLIN) != 0 && read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
      OnSignal(static_cast<int>(info.ssi_signo));
    }
  }
}

void ShutdownSignals::OnSignal(int signal) {
  std::lock_guard lock(mu_);
  if (!armed_ || received_ != 0) std::_Exit(kSignalExitBase + signal);
  received_ = signal;
  signal_cv_.notify_one();
}

}  // namespace windowkv
