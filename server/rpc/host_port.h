#ifndef WINDOWKV_SERVER_RPC_HOST_PORT_H_
#define WINDOWKV_SERVER_RPC_HOST_PORT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace windowkv {

// An address such as "127.0.0.1:50051" or "[::1]:0". A value.
struct HostPort {
  std::string host;  // without brackets
  int port = 0;      // [0, 65535]; as an address to listen on, 0 takes a free one

  std::string ToString() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// INVALID_ARGUMENT saying what was found.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_HOST_PORT_H_
