#ifndef WINDOWKV_SERVER_RPC_STATUS_MAPPING_H_
#define WINDOWKV_SERVER_RPC_STATUS_MAPPING_H_

#include <string_view>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

// The one place where absl::Status and grpc::Status meet.

namespace windowkv {

// The domain of every ErrorInfo we send.
inline constexpr std::string_view kErrorDomain = "windowkv.v1";

// `status` with its facts as google.rpc details: BadRequest for the field it names, RetryInfo for
// its retry delay (a second for an UNAVAILABLE that says none), QuotaFailure when it is
// RESOURCE_EXHAUSTED, and ErrorInfo {reason: the code's name, domain, request_id} always. OK stays
// plain OK.
grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view request_id);

// Code, message, and from the details the field and the retry delay (FieldOf, RetryDelayOf).
// Details that do not parse are left out. A router that passes an error on sends the original
// grpc::Status instead, which keeps every detail.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_STATUS_MAPPING_H_
