#include "client/error_details.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "client/proto_duration.h"

namespace windowkv::client {
namespace {

constexpr absl::string_view kUnreachable = "windowkv/unreachable";

// The type URL under which google.protobuf.Any packs a message.
template <typename Message>
std::string TypeUrl() {
  return "type.googleapis.com/" + Message::descriptor()->full_name();
}

template <typename Message>
std::optional<Message> PayloadAs(const absl::Status& status) {
  auto payload = status.GetPayload(TypeUrl<Message>());
  Message message;
  if (!payload || !message.ParseFromString(std::string(*payload))) return std::nullopt;
  return message;
}

}  // namespace

absl::Status FromRpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return result;
  for (const auto& detail : details.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

ErrorDetails DetailsOf(const absl::Status& status) {
  ErrorDetails details;
  if (auto bad_request = PayloadAs<google::rpc::BadRequest>(status)) {
    for (const auto& violation : bad_request->field_violations()) {
      details.fields.push_back(violation.field());
    }
  }
  if (auto retry = PayloadAs<google::rpc::RetryInfo>(status)) {
    details.retry_after = ToAbsl(retry->retry_delay());
  }
  if (auto info = PayloadAs<google::rpc::ErrorInfo>(status)) details.reason = info->reason();
  return details;
}

absl::Status MarkUnreachable(absl::Status status) {
  status.SetPayload(kUnreachable, absl::Cord());
  return status;
}

bool IsUnreachable(const absl::Status& status) {
  return status.GetPayload(kUnreachable).has_value();
}

}  // namespace windowkv::client
