#ifndef WINDOWKV_SERVER_RPC_PROTO_DURATION_H_
#define WINDOWKV_SERVER_RPC_PROTO_DURATION_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace windowkv {

google::protobuf::Duration ToProtoDuration(absl::Duration duration);
absl::Duration FromProtoDuration(const google::protobuf::Duration& proto);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_PROTO_DURATION_H_
