#ifndef WINDOWKV_SERVER_ROUTER_SERVER_CHANNEL_H_
#define WINDOWKV_SERVER_ROUTER_SERVER_CHANNEL_H_

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"

namespace windowkv {

// How the router calls the servers behind it. A value.
struct ServerChannelOptions {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  // Whom their certificates must be for; empty: the host of the address.
  std::string certificate_name = {};
  // Whether gRPC sends a call again that no server has seen. A call then takes 7 KB more.
  bool retries = true;
};

// A channel to a server behind the router: takes messages of any size, notices a host that vanished
// within half a minute, and tries to reconnect at least once a second.
std::shared_ptr<grpc::Channel> MakeServerChannel(const std::string& target,
                                                 const ServerChannelOptions& options);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_ROUTER_SERVER_CHANNEL_H_
