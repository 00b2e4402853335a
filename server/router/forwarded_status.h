#ifndef WINDOWKV_SERVER_ROUTER_FORWARDED_STATUS_H_
#define WINDOWKV_SERVER_ROUTER_FORWARDED_STATUS_H_

#include <string_view>

#include "grpcpp/support/status.h"

namespace windowkv {

// True for an UNAVAILABLE that gRPC made because no connection stands; a server's own carries
// details.
bool IsOwnUnavailable(const grpc::Status& status);

// A backend's status as the client gets it: unchanged when the backend gave details, else with
// details of the router's, the backend named in the message, and a retry delay for UNAVAILABLE. An
// INTERNAL, UNKNOWN or CANCELLED without details is gRPC's word for a connection that broke or a
// server that was shutting down, so it becomes UNAVAILABLE.
grpc::Status ForwardedStatus(const grpc::Status& status, std::string_view backend,
                             std::string_view request_id);

// How a call ends whose client has left, when the call to a backend ended with `status`: as that
// says when the deadline passed, else CANCELLED, whatever came of our cancelling it.
grpc::Status StatusWithoutClient(const grpc::Status& status);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_FORWARDED_STATUS_H_
