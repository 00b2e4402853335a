#include "server/metrics/timed_http_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "engine/base/monotonic_clock.h"

namespace windowkv {
namespace {

// What of a request is read: its lines and headers, and a body that nobody wants.
constexpr size_t kMaxRequestBytes = 16 << 10;

// One connection. Used by one thread; the library says how its methods are called.
class Connection final : public httplib::Stream {
 public:
  // The caller closes `fd`.
  Connection(int fd, absl::Duration timeout)
      : fd_(fd), timeout_(timeout), read_deadline_(MonotonicNow() + timeout) {}

  bool is_readable() const override { return begin_ < end_ || WaitFor(POLLIN, read_deadline_); }
  bool is_writable() const override { return WaitFor(POLLOUT, WriteDeadline()); }

  ssize_t read(char* bytes, size_t size) override {
    if (begin_ == end_ && !Fill()) return -1;
    const size_t taken = std::min(size, end_ - begin_);
    std::memcpy(bytes, buffer_.data() + begin_, taken);
    begin_ += taken;
    return static_cast<ssize_t>(taken);
  }

  ssize_t write(const char* bytes, size_t size) override {
    if (!is_writable()) return -1;
    return send(fd_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return fd_; }

 private:
  bool WaitFor(int16_t event, absl::Duration deadline) const {
    while (true) {
      const absl::Duration left = deadline - MonotonicNow();
      if (left <= absl::ZeroDuration()) return false;
      pollfd wait{fd_, event, 0};
      const int ready = poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
    }
  }

  // From the first write on.
  absl::Duration WriteDeadline() const {
    if (!write_deadline_) write_deadline_ = MonotonicNow() + timeout_;
    return *write_deadline_;
  }

  bool Fill() {
    if (received_ >= kMaxRequestBytes || !WaitFor(POLLIN, read_deadline_)) return false;
    const ssize_t count = recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count <= 0) return false;
    begin_ = 0;
    end_ = static_cast<size_t>(count);
    received_ += end_;
    return true;
  }

  const int fd_;
  const absl::Duration timeout_;
  const absl::Duration read_deadline_;
  mutable std::optional<absl::Duration> write_deadline_;
  std::array<char, 2048> buffer_;  // what was received and not read yet is [begin_, end_)
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t received_ = 0;
};

}  // namespace

bool TimedHttpServer::process_and_close_socket(socket_t fd) {
  Connection connection(fd, timeout_);
  bool closed = false;
  const bool answered = process_request(connection, /*close_connection=*/true, closed, nullptr);
  shutdown(fd, SHUT_RDWR);
  close(fd);
  return answered;
}

}  // namespace windowkv
