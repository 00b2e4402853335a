#ifndef WINDOWKV_SERVER_GENERATION_REQUEST_LOG_H_
#define WINDOWKV_SERVER_GENERATION_REQUEST_LOG_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/request/token_stream.h"
#include "server/rpc/logging.h"

namespace windowkv {

// The log lines of one Generate call: at info one, when it finished or failed, which says all that
// explains a slow request; at debug another when it is accepted. A value that the call owns.
class RequestLog {
 public:
  RequestLog(const Logger& logger, std::string_view request_id, absl::Duration arrival)
      : logger_(logger.ForRequest(request_id)), arrival_(arrival) {}

  void OnAccepted(const AcceptedEvent& event) const;
  void OnFinished(const FinishedEvent& event) const;
  // A server's own fault is an error line; what the client or the load caused is not.
  void OnFailed(const absl::Status& status) const;

 private:
  Logger logger_;
  absl::Duration arrival_;  // by MonotonicNow()
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_GENERATION_REQUEST_LOG_H_
