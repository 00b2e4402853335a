#include "tests/testing/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace windowkv::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int NewSocket() { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

}  // namespace

std::unique_ptr<TcpProxy> TcpProxy::Start(int server_port) {
  const int listener = NewSocket();
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  std::array<int, 2> orders;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      pipe2(orders.data(), O_CLOEXEC) != 0) {
    close(listener);
    return nullptr;
  }
  return std::unique_ptr<TcpProxy>(
      new TcpProxy(listener, ntohs(address.sin_port), orders[1], orders[0], server_port));
}

TcpProxy::TcpProxy(int listener_fd, int port, int order_fd, int take_order_fd, int server_port)
    : listener_fd_(listener_fd),
      port_(port),
      order_fd_(order_fd),
      take_order_fd_(take_order_fd),
      server_port_(server_port),
      thread_([this] { Run(); }) {}

TcpProxy::~TcpProxy() {
  Give(Order::kStop);
  thread_.join();
  CloseBoth();
  for (const int fd : {listener_fd_, order_fd_, take_order_fd_}) close(fd);
}

void TcpProxy::GoSilent() { Give(Order::kGoSilent); }
void TcpProxy::Reset() { Give(Order::kReset); }

void TcpProxy::Give(Order order) const {
  if (write(order_fd_, &order, sizeof(order)) != sizeof(order)) std::abort();
}

void TcpProxy::Run() {
  while (true) {
    std::array<pollfd, 4> waits = {{{take_order_fd_, POLLIN, 0},
                                    {client_fd_ < 0 ? listener_fd_ : -1, POLLIN, 0},
                                    {silent_ ? -1 : client_fd_, POLLIN, 0},
                                    {silent_ ? -1 : server_fd_, POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) {
      if (!Obey()) return;
    } else if (waits[1].revents != 0) {
      Connect();
    } else if (waits[2].revents != 0) {
      Forward(client_fd_, server_fd_);
    } else if (waits[3].revents != 0) {
      Forward(server_fd_, client_fd_);
    }
  }
}

bool TcpProxy::Obey() {
  Order order = Order::kStop;
  if (read(take_order_fd_, &order, sizeof(order)) != sizeof(order)) return false;
  silent_ = true;
  if (order == Order::kReset) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(server_fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    CloseBoth();
  }
  return order != Order::kStop;
}

void TcpProxy::Connect() {
  client_fd_ = accept4(listener_fd_, nullptr, nullptr, SOCK_CLOEXEC);
  server_fd_ = NewSocket();
  const sockaddr_in address = Loopback(server_port_);
  if (connect(server_fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    std::abort();
  }
}

void TcpProxy::Forward(int from_fd, int to_fd) {
  std::array<char, 65536> buffer;
  const ssize_t size = read(from_fd, buffer.data(), buffer.size());
  if (size <= 0 || write(to_fd, buffer.data(), static_cast<size_t>(size)) != size) {
    silent_ = true;
    CloseBoth();
  }
}

void TcpProxy::CloseBoth() {
  for (int* fd : {&client_fd_, &server_fd_}) {
    if (*fd > 0) close(*fd);
    *fd = 0;  // none, and none is waited for any more
  }
}

}  // namespace windowkv::testing
