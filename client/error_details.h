#ifndef WINDOWKV_CLIENT_ERROR_DETAILS_H_
#define WINDOWKV_CLIENT_ERROR_DETAILS_H_

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace windowkv::client {

// What a server said about an error besides code and message.
struct ErrorDetails {
  // Paths of the request fields that are wrong, such as "cache.window_size"
  // (google.rpc.BadRequest).
  std::vector<std::string> fields;
  // When a retry may succeed (google.rpc.RetryInfo).
  std::optional<absl::Duration> retry_after;
  // Machine-readable reason (google.rpc.ErrorInfo); empty when none was sent.
  std::string reason;
};

// `status` with its code and message; every google.rpc detail becomes a payload under its own type
// URL. A status whose details cannot be parsed keeps code and message.
absl::Status FromRpcStatus(const grpc::Status& status);

// Reads the payloads that FromRpcStatus left.
ErrorDetails DetailsOf(const absl::Status& status);

// Marks `status` as "no server answered", and asks for the mark.
absl::Status MarkUnreachable(absl::Status status);
bool IsUnreachable(const absl::Status& status);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_ERROR_DETAILS_H_
