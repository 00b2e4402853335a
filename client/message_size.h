#ifndef WINDOWKV_CLIENT_MESSAGE_SIZE_H_
#define WINDOWKV_CLIENT_MESSAGE_SIZE_H_

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <limits>

#include "absl/status/status.h"

namespace windowkv::client {

// The longest message that protobuf serialises. gRPC ends the program over a longer one.
inline constexpr size_t kMaxMessageBytes = std::numeric_limits<int>::max();

// What fits a server's default --max-message-bytes: where many texts share a call, one that is
// longer must not end it for the others.
inline constexpr size_t kMaxBulkTextBytes = 15 << 20;

// OUT_OF_RANGE: `message` has more than `limit` bytes when it is serialised.
absl::Status CheckMessageSize(const google::protobuf::MessageLite& message,
                              size_t limit = kMaxMessageBytes);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_MESSAGE_SIZE_H_
