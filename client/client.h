#ifndef WINDOWKV_CLIENT_CLIENT_H_
#define WINDOWKV_CLIENT_CLIENT_H_

#include <grpcpp/channel.h>
#include <windowkv/v1/classifier.grpc.pb.h>
#include <windowkv/v1/generation.grpc.pb.h>
#include <windowkv/v1/router.grpc.pb.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/bulk_classification.h"
#include "client/cancellation.h"

namespace windowkv::client {

// PEM files for TLS. Empty `ca_file`: the system's roots. `cert_file` and `key_file` go together
// and are for servers that ask clients for a certificate.
struct TlsFiles {
  std::string ca_file = {};
  std::string cert_file = {};
  std::string key_file = {};
};

struct ConnectOptions {
  // HOST:PORT of a router, a generation backend or a classifier.
  std::string target = {};
  // Unset: plain text.
  std::optional<TlsFiles> tls = std::nullopt;
};

struct CallOptions {
  // From the call to its last message.
  absl::Duration timeout = absl::InfiniteDuration();
  // May be null; not owned.
  Cancellation* cancellation = nullptr;
  // The trace that the call belongs to (traceparent.h), for the servers' logs. What is no
  // traceparent is not sent; the servers begin a trace of their own then.
  std::string traceparent = {};
};

// What hears of a call that blocks no thread. Called on gRPC's threads, one call at a time.
class GenerateObserver {
 public:
  virtual ~GenerateObserver() = default;
  virtual void OnMessage(const v1::GenerateResponse& message) = 0;
  // The last call: the observer may be deleted in it.
  virtual void OnDone(const absl::Status& status) = 0;
};

// One connection to one server, made on the first call. Owned by the caller; thread-safe. Calls
// block until they end, but for StartGenerate. Errors are the server's, with its google.rpc details
// as payloads (see error_details.h); IsUnreachable tells "nobody answered" from "the server said
// UNAVAILABLE". OUT_OF_RANGE, besides the server's errors: the request is longer than protobuf can
// send (message_size.h).
class Client {
 public:
  // INVALID_ARGUMENT: the target is not HOST:PORT, or a TLS certificate comes without its key.
  // NOT_FOUND: a TLS file cannot be read.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const ConnectOptions& options);

  // Calls `on_message` on this thread for each message of the stream, in order.
  absl::Status Generate(const v1::GenerateRequest& request, const CallOptions& options,
                        const std::function<void(const v1::GenerateResponse&)>& on_message);
  // Returns at once. `observer` is not owned; it, the client and the cancellation outlive the call,
  // which ends when OnDone is called: in StartGenerate where the request is too long to be sent.
  void StartGenerate(const v1::GenerateRequest& request, const CallOptions& options,
                     GenerateObserver* observer);
  absl::StatusOr<v1::TokenizeResponse> Tokenize(const v1::TokenizeRequest& request,
                                                const CallOptions& options);
  absl::StatusOr<v1::ModelInfo> GetModelInfo(const CallOptions& options);
  absl::StatusOr<v1::Load> GetLoad(const CallOptions& options);
  // Of a router.
  absl::StatusOr<v1::ListBackendsResponse> ListBackends(const CallOptions& options);
  absl::StatusOr<v1::ClassifyResponse> Classify(const v1::ClassifyRequest& request,
                                                const CallOptions& options);
  // Classifies the texts of `source`, which is called on another thread, one after the other until
  // it has no more or the call is over; a call of it that is not back then is waited for. Calls
  // `sink` for each text, in their order and one call at a time, on this thread or the other; it
  // must not block on the source. A text's error ends nothing. INTERNAL, besides the server's
  // errors: the server's answers are not those of the texts.
  absl::Status ClassifyStream(const TextSource& source, const CallOptions& options,
                              const ClassificationSink& sink);

 private:
  class GenerateCall;

  explicit Client(std::shared_ptr<grpc::Channel> channel);

  template <typename Response, typename Method>
  absl::StatusOr<Response> Unary(const google::protobuf::MessageLite& request,
                                 const CallOptions& options, const Method& method);
  absl::Status ToStatus(const grpc::Status& status, bool answered) const;

  // Constant after construction.
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::GenerationService::Stub> generation_;
  const std::unique_ptr<v1::ClassifierService::Stub> classifier_;
  const std::unique_ptr<v1::RouterService::Stub> router_;
};

}  // namespace windowkv::client

#endif  // WINDOWKV_CLIENT_CLIENT_H_
