#ifndef WINDOWKV_SERVER_RPC_CONNECTION_LISTENER_H_
#define WINDOWKV_SERVER_RPC_CONNECTION_LISTENER_H_

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/host_port.h"
#include "server/rpc/logging.h"

namespace windowkv {

// Takes the connections that come to one address. gRPC's own listener gives up for good the first
// time the process has no file descriptor left; this one turns clients away until there are some
// again. Owned by a ServerProcess, whose thread starts and stops it.
class ConnectionListener {
 public:
  // Listens; connections wait until Start. `address.host` is a name or a number, and all that a
  // name stands for is listened on, but for addresses that this host has not. UNAVAILABLE naming
  // the address: it, or one that it stands for, is taken or forbidden, or none is ours.
  static absl::StatusOr<std::unique_ptr<ConnectionListener>> Listen(const HostPort& address,
                                                                    Logger logger);
  ~ConnectionListener();
  ConnectionListener(const ConnectionListener&) = delete;
  ConnectionListener& operator=(const ConnectionListener&) = delete;

  // In use, the port a real one.
  const HostPort& address() const { return address_; }

  // Hands each connected socket, non-blocking, to `take`, which owns it, on a thread of its own.
  // The system closes a connection that takes no data for `max_silence`: a ping of HTTP/2's cannot
  // find out while older data fills the socket.
  void Start(absl::Duration max_silence, std::function<void(int listener_fd, int fd)> take);
  // Afterwards nobody listens on the address and `take` is not called any more.
  void Stop();

 private:
  ConnectionListener(HostPort address, std::vector<int> listener_fds, int stop_fd, Logger logger);
  void Run();  // the accepting thread
  void Accept(int listener_fd);
  void TurnAway(int listener_fd);
  void SetShort(bool is_short);
  // Shorter when Stop is called.
  void Pause(absl::Duration duration) const;

  HostPort address_;
  std::vector<int> listener_fds_;
  const int stop_fd_;
  const Logger logger_;
  int max_silence_ms_ = 0;
  std::function<void(int, int)> take_;
  std::thread thread_;
  // The accepting thread's.
  int spare_fd_ = -1;      // given up for a moment to accept a client that is to be turned away
  bool is_short_ = false;  // of file descriptors
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_CONNECTION_LISTENER_H_
