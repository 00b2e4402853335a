#ifndef WINDOWKV_SERVER_RPC_TLS_CREDENTIALS_H_
#define WINDOWKV_SERVER_RPC_TLS_CREDENTIALS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "server/rpc/server_options.h"

namespace windowkv {

// Credentials to listen with: plain text when no file is named, TLS with certificate and key,
// mutual TLS with a client authority as well. INVALID_ARGUMENT: a certificate without its key or
// the inverse or another's, a client authority without them, a file that is not PEM. NOT_FOUND: a
// file that cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files);

// Credentials to call with: plain text when no file is named, TLS to servers with a certificate
// from the authority. Errors as above.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakePeerCredentials(
    const PeerTlsFiles& files);

}  // namespace windowkv

#endif  // WINDOWKV_SERVER_RPC_TLS_CREDENTIALS_H_
