#include "server/rpc/connection_listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

// Between attempts while not even the spare file descriptor can be had.
constexpr absl::Duration kShortagePause = absl::Milliseconds(50);

constexpr int kAttemptsAtAFreePort = 8;

bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void SetOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

// This host has no such address, or none of that family.
bool IsNotOurs(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

// A listening socket on `info`'s address, with `port` if above 0; -1 and errno when there is none
// to be had.
int OpenListener(const addrinfo& info, int port) {
  sockaddr_storage address{};
  std::memcpy(&address, info.ai_addr, info.ai_addrlen);
  // The port is at the same place in both families' addresses.
  if (port > 0) reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(port);
  const int fd = socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  // "::" takes IPv4 clients as well, whatever the system's default is.
  if (info.ai_family == AF_INET6) SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), info.ai_addrlen) == 0 &&
      listen(fd, SOMAXCONN) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// A host may have an address under more than one name, and so find it twice.
bool CameBefore(const addrinfo* first, const addrinfo& address) {
  for (const addrinfo* info = first; info != &address; info = info->ai_next) {
    if (info->ai_addrlen == address.ai_addrlen &&
        std::memcmp(info->ai_addr, address.ai_addr, address.ai_addrlen) == 0) {
      return true;
    }
  }
  return false;
}

void CloseAll(std::vector<int>* fds) {
  for (const int fd : *fds) close(fd);
  fds->clear();
}

// Listening sockets on all of `found`, with one port, which `address` gets; none when one of our
// addresses cannot be had: its clients would reach somebody else. `error` says why there are none.
std::vector<int> OpenListeners(const addrinfo* found, HostPort* address, int* error) {
  std::vector<int> fds;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (CameBefore(found, *info)) continue;
    const int fd = OpenListener(*info, address->port);
    if (fd < 0) {
      *error = errno;
      if (IsNotOurs(*error)) continue;
      CloseAll(&fds);
      return fds;
    }
    address->port = PortOf(fd);
    fds.push_back(fd);
  }
  return fds;
}

// The same for every address of the host. `address` gets the port in use.
absl::StatusOr<std::vector<int>> ListenOnHost(HostPort* address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(address->port);
  const std::string failure = absl::StrCat("cannot listen on ", address->ToString(), ": ");
  const int unknown = getaddrinfo(address->host.c_str(), service.c_str(), &hints, &found);
  if (unknown != 0) return absl::UnavailableError(failure + gai_strerror(unknown));
  int error = 0;
  std::vector<int> fds;
  // A port that is free on one address may be taken on the next.
  const int attempts = address->port == 0 ? kAttemptsAtAFreePort : 1;
  for (int i = 0; i < attempts && fds.empty(); ++i) {
    HostPort in_use = *address;
    fds = OpenListeners(found, &in_use, &error);
    if (!fds.empty()) *address = in_use;
  }
  freeaddrinfo(found);
  if (fds.empty()) return absl::UnavailableError(failure + std::strerror(error));
  return fds;
}

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionListener>> ConnectionListener::Listen(
    const HostPort& address, Logger logger) {
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0) return absl::ErrnoToStatus(errno, "eventfd");
  HostPort in_use = address;
  absl::StatusOr<std::vector<int>> fds = ListenOnHost(&in_use);
  if (!fds.ok()) {
    close(stop_fd);
    return fds.status();
  }
  return std::unique_ptr<ConnectionListener>(
      new ConnectionListener(std::move(in_use), *std::move(fds), stop_fd, std::move(logger)));
}

ConnectionListener::ConnectionListener(HostPort address, std::vector<int> listener_fds, int stop_fd,
                                       Logger logger)
    : address_(std::move(address)),
      listener_fds_(std::move(listener_fds)),
      stop_fd_(stop_fd),
      logger_(std::move(logger)),
      spare_fd_(OpenSpare()) {}

ConnectionListener::~ConnectionListener() {
  Stop();
  if (spare_fd_ >= 0) close(spare_fd_);
  close(stop_fd_);
}

void ConnectionListener::Start(absl::Duration max_silence,
                               std::function<void(int listener_fd, int fd)> take) {
  max_silence_ms_ = static_cast<int>(absl::ToInt64Milliseconds(max_silence));
  take_ = std::move(take);
  thread_ = std::thread([this] { Run(); });
}

void ConnectionListener::Stop() {
  eventfd_write(stop_fd_, 1);
  if (thread_.joinable()) thread_.join();
  for (const int fd : listener_fds_) close(fd);
  listener_fds_.clear();
}

void ConnectionListener::Run() {
  std::vector<pollfd> waits = {{stop_fd_, POLLIN, 0}};
  for (const int fd : listener_fds_) waits.push_back({fd, POLLIN, 0});
  while (true) {
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    if (waits[0].revents != 0) return;
    for (size_t i = 1; i < waits.size(); ++i) {
      if (waits[i].revents != 0) Accept(waits[i].fd);
    }
  }
}

void ConnectionListener::Accept(int listener_fd) {
  const int fd = accept4(listener_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    SetShort(false);
    SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, max_silence_ms_);
    take_(listener_fd, fd);
  } else if (IsShortage(errno)) {
    TurnAway(listener_fd);
  }
}

void ConnectionListener::TurnAway(int listener_fd) {
  SetShort(true);
  if (spare_fd_ >= 0) close(spare_fd_);
  // The client hears at once that it is not served, instead of waiting for its own timeout.
  const int fd = accept4(listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  spare_fd_ = OpenSpare();
  if (fd < 0 || spare_fd_ < 0) Pause(kShortagePause);
}

void ConnectionListener::SetShort(bool is_short) {
  if (is_short == is_short_) return;
  is_short_ = is_short;
  if (is_short) {
    logger_.Error("connections are refused: no file descriptors are left");
  } else {
    logger_.Info("connections are taken again");
  }
}

void ConnectionListener::Pause(absl::Duration duration) const {
  pollfd wait{stop_fd_, POLLIN, 0};
  poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(duration)));
}

}  // namespace windowkv
