#include "engine/base/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace windowkv {
namespace {

constexpr absl::string_view kFieldPayload = "windowkv/field";
constexpr absl::string_view kRetryPayload = "windowkv/retry_delay";

}  // namespace

absl::Status InvalidField(std::string_view field, std::string_view problem) {
  return FieldError(absl::StatusCode::kInvalidArgument, field, problem);
}

absl::Status FieldError(absl::StatusCode code, std::string_view field, std::string_view problem) {
  absl::Status status(code, absl::StrCat(ToAbsl(field), " ", ToAbsl(problem)));
  status.SetPayload(kFieldPayload, absl::Cord(ToAbsl(field)));
  return status;
}

std::optional<std::string> FieldOf(const absl::Status& status) {
  auto payload = status.GetPayload(kFieldPayload);
  if (!payload) return std::nullopt;
  return std::string(*payload);
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryPayload, absl::Cord(absl::FormatDuration(delay)));
  return status;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  auto payload = status.GetPayload(kRetryPayload);
  absl::Duration delay;
  if (!payload || !absl::ParseDuration(std::string(*payload), &delay)) return std::nullopt;
  return delay;
}

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(ToAbsl(context), ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace windowkv
