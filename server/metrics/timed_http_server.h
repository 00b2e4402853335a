#ifndef WINDOWKV_SERVER_METRICS_TIMED_HTTP_SERVER_H_
#define WINDOWKV_SERVER_METRICS_TIMED_HTTP_SERVER_H_

#include "absl/time/time.h"
#include "httplib.h"

namespace windowkv {

// The library's server with one request per connection, for which a client has a time as a whole:
// the library's own timeouts begin anew with each byte, so that a client which dribbles would hold
// a thread for ever.
class TimedHttpServer final : public httplib::Server {
 public:
  // `timeout`: to send the request, and once more to take the answer.
  explicit TimedHttpServer(absl::Duration timeout) : timeout_(timeout) {}

 private:
  bool process_and_close_socket(socket_t fd) override;

  const absl::Duration timeout_;
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_METRICS_TIMED_HTTP_SERVER_H_
