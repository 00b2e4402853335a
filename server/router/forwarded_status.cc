#include "server/router/forwarded_status.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "server/rpc/status_mapping.h"

namespace windowkv {
namespace {

// CANCELLED: gRPC's answer to a call that reaches a server in the moment of its shutdown.
bool IsBrokenConnection(grpc::StatusCode code) {
  return code == grpc::StatusCode::INTERNAL || code == grpc::StatusCode::UNKNOWN ||
         code == grpc::StatusCode::CANCELLED;
}

}  // namespace

bool IsOwnUnavailable(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_details().empty();
}

grpc::Status ForwardedStatus(const grpc::Status& status, std::string_view backend,
                             std::string_view request_id) {
  if (status.ok() || !status.error_details().empty()) return status;
  absl::Status own = FromGrpcStatus(status);
  if (IsBrokenConnection(status.error_code())) own = absl::UnavailableError(own.message());
  own = Annotate(own, absl::StrCat("backend ", ToAbsl(backend)));
  return ToGrpcStatus(own, request_id);
}

grpc::Status StatusWithoutClient(const grpc::Status& status) {
  if (status.ok() || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return status;
  return {grpc::StatusCode::CANCELLED, "the client left"};
}

}  // namespace windowkv
