#include "client/command_line/error_line.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/error_details.h"

namespace windowkv::client {

std::string ErrorLine(const absl::Status& status) {
  const ErrorDetails details = DetailsOf(status);
  const std::string code = absl::StatusCodeToString(status.code());
  std::string line = code;
  if (!details.fields.empty()) absl::StrAppend(&line, " ", absl::StrJoin(details.fields, ", "));
  // gRPC's own answer to a call that this kind of server does not have comes without words.
  const bool wrong_server = absl::IsUnimplemented(status) && status.message().empty();
  absl::StrAppend(&line, ": ",
                  wrong_server ? "the server does not offer this call" : status.message());
  if (!details.reason.empty() && details.reason != code) {
    absl::StrAppend(&line, " [", details.reason, "]");
  }
  if (details.retry_after) {
    absl::StrAppend(&line, "; retry after ", absl::FormatDuration(*details.retry_after));
  }
  return absl::StrReplaceAll(line, {{"\n", " "}, {"\r", " "}});
}

ExitCode ExitCodeFor(const absl::Status& status) {
  if (status.ok()) return kExitDone;
  return IsUnreachable(status) ? kExitUnreachable : kExitServerError;
}

}  // namespace windowkv::client
