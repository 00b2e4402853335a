#ifndef WINDOWKV_SERVER_ROUTER_SERVER_CHANNEL_H_
#define WINDOWKV_SERVER_ROUTER_SERVER_CHANNEL_H_

#include <memory>
#include <string>

#include "grpcpp/channel.h"

namespace windowkv {

// A plain-text channel to a server behind the router: takes messages of any size, notices a host
// that vanished within half a minute, and tries to reconnect at least once a second.
std::shared_ptr<grpc::Channel> MakeServerChannel(const std::string& target);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_SERVER_CHANNEL_H_
