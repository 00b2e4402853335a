#ifndef WINDOWKV_SERVER_RPC_REQUEST_ID_H_
#define WINDOWKV_SERVER_RPC_REQUEST_ID_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace windowkv {

inline constexpr size_t kMaxRequestIdBytes = 128;

// The client's id, or a fresh random one ("r-" and 16 hexadecimal digits) when it gave none.
// INVALID_ARGUMENT naming "request_id": longer than 128 bytes, or a control character in it.
absl::StatusOr<std::string> RequestIdOrNew(std::string_view given);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_REQUEST_ID_H_
