#ifndef WINDOWKV_CLIENT_PROTO_DURATION_H_
#define WINDOWKV_CLIENT_PROTO_DURATION_H_

#include <google/protobuf/duration.pb.h>

#include "absl/time/time.h"

namespace windowkv::client {

absl::Duration ToAbsl(const google::protobuf::Duration& duration);

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_PROTO_DURATION_H_
