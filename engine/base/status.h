#ifndef WINDOWKV_ENGINE_BASE_STATUS_H_
#define WINDOWKV_ENGINE_BASE_STATUS_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// Errors of the whole project. A status may carry two facts besides its message, which the RPC
// layer turns into google.rpc details: the request field that is wrong, and when to try again.

namespace windowkv {

// Debian's Abseil has a string_view of its own that does not convert to or from std's.
inline absl::string_view ToAbsl(std::string_view s) {
  return absl::string_view(s.data(), s.size());
}
inline std::string_view ToStd(absl::string_view s) { return std::string_view(s.data(), s.size()); }

// INVALID_ARGUMENT about one request field. `field` is the field's path in the protobuf request,
// such as "cache.window_size"; `problem` says the value and the allowed range: "is 0, must be in
// [1, 1024]".
absl::Status InvalidField(std::string_view field, std::string_view problem);

// The same for another code, such as OUT_OF_RANGE.
absl::Status FieldError(absl::StatusCode code, std::string_view field, std::string_view problem);

// The field named by InvalidField or FieldError.
std::optional<std::string> FieldOf(const absl::Status& status);

// `status` with advice when to try again.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// `status` with `context` and ": " before its message; payloads stay.
absl::Status Annotate(const absl::Status& status, std::string_view context);

}  // namespace windowkv

#define WINDOWKV_RETURN_IF_ERROR(expr)                                                        \
  do {                                                                                        \
    if (absl::Status windowkv_status = (expr); !windowkv_status.ok()) return windowkv_status; \
  } while (false)

#define WINDOWKV_CONCAT_INNER(a, b) a##b
#define WINDOWKV_CONCAT(a, b) WINDOWKV_CONCAT_INNER(a, b)

// WINDOWKV_ASSIGN_OR_RETURN(auto x, F()): x from a StatusOr, or return its error.
#define WINDOWKV_ASSIGN_OR_RETURN(lhs, expr) \
  WINDOWKV_ASSIGN_OR_RETURN_IMPL(WINDOWKV_CONCAT(windowkv_or_, __LINE__), lhs, expr)
#define WINDOWKV_ASSIGN_OR_RETURN_IMPL(var, lhs, expr) \
  auto var = (expr);                                   \
  if (!var.ok()) return std::move(var).status();       \
  lhs = *std::move(var)

#endif  // WINDOWKV_ENGINE_BASE_STATUS_H_
