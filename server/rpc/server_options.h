#ifndef WINDOWKV_SERVER_RPC_SERVER_OPTIONS_H_
#define WINDOWKV_SERVER_RPC_SERVER_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "server/rpc/host_port.h"

namespace windowkv {

// PEM files; empty for none. Without certificate and key the server speaks plain text; with
// `client_ca_file` only clients with a certificate from that authority are let in.
struct TlsFiles {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;
};

// PEM files for calls to other servers; empty for none. Without `authority_file` they are made in
// plain text; the certificate is for servers that ask for one.
struct PeerTlsFiles {
  std::string authority_file = {};
  std::string certificate_file = {};
  std::string key_file = {};
};

// What the three servers have in common, validated. A value.
struct ServerOptions {
  std::string program;  // "windowkv-generation"
  HostPort listen;
  HostPort http;
  TlsFiles tls;
  absl::Duration drain_timeout = absl::Seconds(30);
  int max_message_bytes = 16 << 20;  // of one received message
  // Of all connections together. gRPC receives a message of any length before it looks at
  // `max_message_bytes`; over this much it cancels calls with RESOURCE_EXHAUSTED.
  int64_t connection_memory_bytes = int64_t{512} << 20;
  // A client that has been silent for `keepalive_time` is pinged, and its connection closed when no
  // answer comes within `keepalive_timeout`.
  absl::Duration keepalive_time = absl::Seconds(20);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  std::string log_level = "info";
};

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_SERVER_OPTIONS_H_
