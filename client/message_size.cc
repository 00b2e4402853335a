#include "client/message_size.h"

#include "absl/strings/str_cat.h"

namespace windowkv::client {

absl::Status CheckMessageSize(const google::protobuf::MessageLite& message, size_t limit) {
  const size_t size = message.ByteSizeLong();
  if (size <= limit) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("the request has ", size, " bytes, must have at most ", limit));
}

}  // namespace windowkv::client
