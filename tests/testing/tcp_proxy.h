#ifndef WINDOWKV_TESTS_TESTING_TCP_PROXY_H_
#define WINDOWKV_TESTS_TESTING_TCP_PROXY_H_

#include <memory>
#include <string>
#include <thread>

namespace windowkv::testing {

// Stands between one client and one server on loopback, and breaks their connection as a network
// would. Owned by the test; the destructor closes both sides.
class TcpProxy {
 public:
  // Null when no socket can be had.
  static std::unique_ptr<TcpProxy> Start(int server_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  // For the client; its first connection is served.
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

  // From now on nothing passes, and neither side is told: the client's host lost its power.
  void GoSilent();
  // The server gets a TCP reset.
  void Reset();

 private:
  enum class Order : char { kStop, kGoSilent, kReset };

  TcpProxy(int listener_fd, int port, int order_fd, int take_order_fd, int server_port);
  void Give(Order order) const;
  void Run();  // the forwarding thread
  bool Obey();
  void Connect();
  void Forward(int from_fd, int to_fd);
  void CloseBoth();

  const int listener_fd_;
  const int port_;
  const int order_fd_;       // written by the test
  const int take_order_fd_;  // read by the thread
  const int server_port_;
  // The thread's.
  int client_fd_ = -1;
  int server_fd_ = -1;
  bool silent_ = false;
  std::thread thread_;
};

}  // namespace windowkv::testing

#endif  // WINDOWKV_TESTS_TESTING_TCP_PROXY_H_
