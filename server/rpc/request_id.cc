#include "server/rpc/request_id.h"

#include <algorithm>
#include <cstdint>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {

absl::StatusOr<std::string> RequestIdOrNew(std::string_view given) {
  if (given.empty()) {
    absl::BitGen random;
    return absl::StrCat("r-", absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16));
  }
  if (given.size() > kMaxRequestIdBytes) {
    return InvalidField(
        "request_id",
        absl::StrCat("has ", given.size(), " bytes, must have at most ", kMaxRequestIdBytes));
  }
  const bool has_control = std::any_of(given.begin(), given.end(),
                                       [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (has_control) return InvalidField("request_id", "has a control character, must have none");
  return std::string(given);
}

}  // namespace windowkv
