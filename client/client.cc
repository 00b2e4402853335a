#include "client/client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/error_details.h"
#include "client/message_size.h"
#include "client/traceparent.h"

namespace windowkv::client {
namespace {

constexpr int kKeepaliveTimeMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;

absl::Status CheckTarget(const std::string& target) {
  const size_t colon = target.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(target.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("target is \"", target, "\", must be HOST:PORT with a port in [1, 65535]"));
  }
  return absl::OkStatus();
}

// The whole of `path`; an empty path gives an empty string, which gRPC reads as "not set".
absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (!file || content.empty()) {
    return absl::NotFoundError(absl::StrCat("cannot read the TLS file ", path));
  }
  if (content.find("-----BEGIN ") == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a PEM file (-----BEGIN ...), found none in it"));
  }
  return content;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const std::optional<TlsFiles>& tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  if (tls->cert_file.empty() != tls->key_file.empty()) {
    return absl::InvalidArgumentError("a TLS certificate and its key must be given together");
  }
  grpc::SslCredentialsOptions options;
  const std::pair<const std::string*, std::string*> files[] = {
      {&tls->ca_file, &options.pem_root_certs},
      {&tls->cert_file, &options.pem_cert_chain},
      {&tls->key_file, &options.pem_private_key}};
  for (const auto& [path, content] : files) {
    absl::StatusOr<std::string> pem = ReadPem(*path);
    if (!pem.ok()) return pem.status();
    *content = *std::move(pem);
  }
  return grpc::SslCredentials(options);
}

void SetOptions(const CallOptions& options, grpc::ClientContext* context) {
  // gRPC takes no metadata that is not text, and would end the program.
  if (IsTraceparent(options.traceparent)) context->AddMetadata("traceparent", options.traceparent);
  const absl::Duration kNoDeadline = absl::Hours(24 * 365);  // keeps the sum below in range
  if (options.timeout >= kNoDeadline) return;
  context->set_deadline(std::chrono::system_clock::now() +
                        absl::ToChronoMicroseconds(options.timeout));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ConnectOptions& options) {
  if (absl::Status status = CheckTarget(options.target); !status.ok()) return status;
  auto credentials = Credentials(options.tls);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  // Receipts with kept ranges and token lists of long prompts pass gRPC's default of 4 MiB.
  arguments.SetMaxReceiveMessageSize(-1);
  // A server that vanishes in the middle of an answer is noticed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // as many as it takes
  return std::unique_ptr<Client>(
      new Client(grpc::CreateCustomChannel(options.target, *credentials, arguments)));
}

Client::Client(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)),
      generation_(v1::GenerationService::NewStub(channel_)),
      classifier_(v1::ClassifierService::NewStub(channel_)),
      router_(v1::RouterService::NewStub(channel_)) {}

absl::Status Client::Generate(const v1::GenerateRequest& request, const CallOptions& options,
                              const std::function<void(const v1::GenerateResponse&)>& on_message) {
  if (absl::Status size = CheckMessageSize(request); !size.ok()) return size;
  grpc::ClientContext context;
  SetOptions(options, &context);
  CancellationScope scope(options.cancellation, &context);
  auto reader = generation_->Generate(&context, request);
  bool answered = false;
  v1::GenerateResponse message;
  while (reader->Read(&message)) {
    answered = true;
    on_message(message);
  }
  return ToStatus(reader->Finish(), answered);
}

// A call of StartGenerate. Deletes itself when gRPC is done with it.
class Client::GenerateCall final : public grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  GenerateCall(const Client* client, const CallOptions& options, GenerateObserver* observer)
      : client_(*client), observer_(*observer) {
    SetOptions(options, &context_);
    scope_.emplace(options.cancellation, &context_);
  }

  void Start(const v1::GenerateRequest& request) {
    client_.generation_->async()->Generate(&context_, &request, this);
    StartRead(&message_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    answered_ = true;
    observer_.OnMessage(message_);
    StartRead(&message_);
  }

  void OnDone(const grpc::Status& status) override {
    GenerateObserver& observer = observer_;
    const absl::Status result = client_.ToStatus(status, answered_);
    // Before the observer knows: it may let client and cancellation end, and the last reference to
    // a channel, which the context has as well, must not go on a thread of gRPC's own.
    delete this;
    observer.OnDone(result);
  }

 private:
  // Not owned.
  const Client& client_;
  GenerateObserver& observer_;

  grpc::ClientContext context_;
  std::optional<CancellationScope> scope_;
  v1::GenerateResponse message_;
  bool answered_ = false;
};

void Client::StartGenerate(const v1::GenerateRequest& request, const CallOptions& options,
                           GenerateObserver* observer) {
  if (absl::Status size = CheckMessageSize(request); !size.ok()) return observer->OnDone(size);
  (new GenerateCall(this, options, observer))->Start(request);
}

absl::StatusOr<v1::TokenizeResponse> Client::Tokenize(const v1::TokenizeRequest& request,
                                                      const CallOptions& options) {
  return Unary<v1::TokenizeResponse>(request, options, [&](auto* context, auto* response) {
    return generation_->Tokenize(context, request, response);
  });
}

absl::StatusOr<v1::ModelInfo> Client::GetModelInfo(const CallOptions& options) {
  const v1::GetModelInfoRequest request;
  return Unary<v1::ModelInfo>(request, options, [&](auto* context, auto* response) {
    return generation_->GetModelInfo(context, request, response);
  });
}

absl::StatusOr<v1::Load> Client::GetLoad(const CallOptions& options) {
  const v1::GetLoadRequest request;
  return Unary<v1::Load>(request, options, [&](auto* context, auto* response) {
    return generation_->GetLoad(context, request, response);
  });
}

absl::StatusOr<v1::ListBackendsResponse> Client::ListBackends(const CallOptions& options) {
  const v1::ListBackendsRequest request;
  return Unary<v1::ListBackendsResponse>(request, options, [&](auto* context, auto* response) {
    return router_->ListBackends(context, request, response);
  });
}

absl::StatusOr<v1::ClassifyResponse> Client::Classify(const v1::ClassifyRequest& request,
                                                      const CallOptions& options) {
  return Unary<v1::ClassifyResponse>(request, options, [&](auto* context, auto* response) {
    return classifier_->Classify(context, request, response);
  });
}

absl::Status Client::ClassifyStream(const TextSource& source, const CallOptions& options,
                                    const ClassificationSink& sink) {
  grpc::ClientContext context;
  SetOptions(options, &context);
  CancellationScope scope(options.cancellation, &context);
  auto stream = classifier_->ClassifyStream(&context);
  BulkClassification bulk(source, sink);
  absl::Status misled = bulk.Run(stream.get(), &context);
  const grpc::Status status = stream->Finish();
  if (!misled.ok()) return misled;
  if (!status.ok()) return ToStatus(status, bulk.answered() > 0);
  return bulk.CheckComplete();
}

template <typename Response, typename Method>
absl::StatusOr<Response> Client::Unary(const google::protobuf::MessageLite& request,
                                       const CallOptions& options, const Method& method) {
  if (absl::Status size = CheckMessageSize(request); !size.ok()) return size;
  grpc::ClientContext context;
  SetOptions(options, &context);
  CancellationScope scope(options.cancellation, &context);
  Response response;
  const grpc::Status status = method(&context, &response);
  if (!status.ok()) return ToStatus(status, /*answered=*/false);
  return response;
}

// Our servers send details with every UNAVAILABLE of theirs, so one without is gRPC's own: the
// connection failed. A deadline that passes before the connection stands means the same.
absl::Status Client::ToStatus(const grpc::Status& status, bool answered) const {
  absl::Status result = FromRpcStatus(status);
  if (answered || !status.error_details().empty()) return result;
  const bool connected = channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
  if (absl::IsUnavailable(result) || (absl::IsDeadlineExceeded(result) && !connected)) {
    return MarkUnreachable(std::move(result));
  }
  return result;
}

}  // namespace windowkv::client
