#include "server/rpc/status_mapping.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/base/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/rpc/proto_duration.h"
#include "server/rpc/shortened_text.h"

namespace windowkv {
namespace {

// Trailing metadata is limited to 8 KiB by default, and the message stands in it several times.
constexpr size_t kMaxMessageBytes = 1000;

// A server that restarts is back after about this long.
constexpr absl::Duration kUnavailableRetryDelay = absl::Seconds(1);

// When to try again; nothing when waiting does not help.
std::optional<absl::Duration> DelayBeforeRetry(const absl::Status& status) {
  const std::optional<absl::Duration> delay = RetryDelayOf(status);
  if (!delay && absl::IsUnavailable(status)) return kUnavailableRetryDelay;
  return delay;
}

void AddDetails(const absl::Status& status, std::string_view request_id,
                google::rpc::Status* proto) {
  if (auto field = FieldOf(status)) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(*field);
    violation->set_description(proto->message());
    proto->add_details()->PackFrom(bad_request);
  }
  if (auto delay = DelayBeforeRetry(status)) {
    google::rpc::RetryInfo retry;
    *retry.mutable_retry_delay() = ToProtoDuration(*delay);
    proto->add_details()->PackFrom(retry);
  }
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    google::rpc::QuotaFailure quota;
    auto* violation = quota.add_violations();
    violation->set_subject("server");
    violation->set_description(proto->message());
    proto->add_details()->PackFrom(quota);
  }
  google::rpc::ErrorInfo info;
  info.set_reason(absl::StatusCodeToString(status.code()));
  info.set_domain(std::string(kErrorDomain));
  if (!request_id.empty()) (*info.mutable_metadata())["request_id"] = std::string(request_id);
  proto->add_details()->PackFrom(info);
}

void CopyPayloads(const absl::Status& from, absl::Status* to) {
  from.ForEachPayload(
      [to](absl::string_view url, const absl::Cord& payload) { to->SetPayload(url, payload); });
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view request_id) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status proto;
  proto.set_code(static_cast<int32_t>(status.code()));
  proto.set_message(ShortenedText(ToStd(status.message()), kMaxMessageBytes));
  AddDetails(status, request_id, &proto);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), proto.message(),
                      proto.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  absl::Status result(code, status.error_message());
  google::rpc::Status proto;
  if (!proto.ParseFromString(status.error_details())) return result;
  for (const auto& detail : proto.details()) {
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&bad_request) && bad_request.field_violations_size() > 0) {
      CopyPayloads(FieldError(code, bad_request.field_violations(0).field(), ""), &result);
    } else if (detail.UnpackTo(&retry)) {
      result = WithRetryDelay(std::move(result), FromProtoDuration(retry.retry_delay()));
    }
  }
  return result;
}

}  // namespace windowkv
