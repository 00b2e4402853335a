#ifndef WINDOWKV_SERVER_METRICS_HTTP_ENDPOINT_H_
#define WINDOWKV_SERVER_METRICS_HTTP_ENDPOINT_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace httplib {
class Server;
}

namespace windowkv {

// Answers GET /metrics (Prometheus text), /livez and /readyz (200 "ok" or 503), and nothing else.
// Owned by main, made after and destroyed before what its functions look at. A few threads of its
// own call the functions, which are thread-safe and quick.
class HttpEndpoint {
 public:
  struct Config {
    std::string host;
    int port = 0;  // 0 takes a free one
    // For a client to send its request, and once more to take the answer.
    absl::Duration request_timeout = absl::Seconds(5);
    std::function<std::string()> metrics_text;
    std::function<bool()> is_live;
    std::function<bool()> is_ready;
  };

  // UNAVAILABLE: the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Start(Config config);
  ~HttpEndpoint();

  // The port in use.
  int port() const { return port_; }

 private:
  explicit HttpEndpoint(Config config);
  absl::Status Listen();
  void AddRoutes();

  const Config config_;
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::thread listener_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_HTTP_ENDPOINT_H_
