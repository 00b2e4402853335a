#include "server/rpc/server_process.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "engine/base/monotonic_clock.h"
#include "engine/base/status.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/resource_quota.h"
#include "server/rpc/tls_credentials.h"

namespace windowkv {
namespace {

// What is left for the last messages of RPCs that a drain just ended.
constexpr absl::Duration kLastWrites = absl::Seconds(1);

constexpr int kMinClientPingIntervalMs = 5'000;

void EnableReflection() {
  // Adds a plugin to every later ServerBuilder of the process, so once is enough.
  static const bool enabled = [] {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(enabled);
}

void SetConnectionOptions(const ServerOptions& options, grpc::ServerBuilder* builder) {
  auto milliseconds = [](absl::Duration duration) {
    return static_cast<int>(absl::ToInt64Milliseconds(duration));
  };
  builder->SetMaxReceiveMessageSize(options.max_message_bytes);
  builder->SetResourceQuota(
      grpc::ResourceQuota().Resize(static_cast<size_t>(options.connection_memory_bytes)));
  // A compressed message is unpacked before its length is looked at.
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder->SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(options.keepalive_time));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              milliseconds(options.keepalive_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kMinClientPingIntervalMs);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const ServerOptions& options,
                                                                    ServedProgram program,
                                                                    Logger logger) {
  std::unique_ptr<ServerProcess> process(
      new ServerProcess(options, std::move(program), std::move(logger)));
  WINDOWKV_RETURN_IF_ERROR(process->Listen());
  process->UpdateHealth();
  process->probe_ = std::thread([raw = process.get()] { raw->ProbeHealth(); });
  return process;
}

absl::Status ServerProcess::Check(const ServerOptions& options) {
  WINDOWKV_RETURN_IF_ERROR(MakeServerCredentials(options.tls).status());
  const auto grpc = ConnectionListener::Listen(options.listen, Logger::Silent());
  if (!grpc.ok()) return Annotate(grpc.status(), "--listen");
  const auto http = ConnectionListener::Listen(options.http, Logger::Silent());
  if (!http.ok()) return Annotate(http.status(), "--http");
  return absl::OkStatus();
}

ServerProcess::ServerProcess(const ServerOptions& options, ServedProgram program, Logger logger)
    : options_(options), program_(std::move(program)), logger_(std::move(logger)) {}

ServerProcess::~ServerProcess() {
  if (server_ == nullptr || !StopServing()) return;
  StopProbe();
  Stop(absl::ZeroDuration());
}

absl::Status ServerProcess::Listen() {
  EnableReflection();
  WINDOWKV_ASSIGN_OR_RETURN(auto credentials, MakeServerCredentials(options_.tls));
  auto listener = ConnectionListener::Listen(options_.listen, logger_);
  if (!listener.ok()) return Annotate(listener.status(), "--listen");
  listener_ = *std::move(listener);
  grpc::ServerBuilder builder;
  SetConnectionOptions(options_, &builder);
  using ConnectionType = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(ConnectionType::FROM_FD,
                                                                   std::move(credentials));
  health_.SetServing("", false);
  for (const auto& [name, service] : program_.services) {
    health_.SetServing(name, false);
    builder.RegisterService(service);
  }
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return absl::InvalidArgumentError("gRPC does not take the TLS files");
  }
  const absl::Duration max_silence = options_.keepalive_time + options_.keepalive_timeout;
  listener_->Start(max_silence, [this](int listener_fd, int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = listener_fd;
    connection.fd = fd;
    acceptor_->HandleNewConnection(&connection);
  });
  return absl::OkStatus();
}

bool ServerProcess::serving() const {
  std::lock_guard lock(mu_);
  return healthy_ && !stopping_;
}

bool ServerProcess::healthy() const {
  std::lock_guard lock(mu_);
  return healthy_;
}

void ServerProcess::UpdateHealth() {
  const bool healthy = program_.is_healthy == nullptr || program_.is_healthy();
  std::lock_guard lock(mu_);
  if (healthy == healthy_) return;
  healthy_ = healthy;
  if (stopping_) return;
  // With mu_ held, so that it cannot overtake the NOT_SERVING of a shutdown.
  health_.SetAllServing(healthy);
  if (healthy) {
    logger_.Info("serving");
  } else {
    logger_.Error("not serving: unhealthy");
  }
}

void ServerProcess::EndIfFailed() {
  if (program_.has_failed == nullptr || !program_.has_failed()) return;
  std::lock_guard lock(mu_);
  if (std::exchange(failed_, true)) return;
  logger_.Error("ending: the program can not go on");
  if (!stopping_) kill(getpid(), SIGTERM);
}

void ServerProcess::ProbeHealth() {
  const auto interval = absl::ToChronoMilliseconds(program_.health_interval);
  while (true) {
    {
      std::unique_lock lock(mu_);
      if (probed_cv_.wait_for(lock, interval, [this] { return probed_; })) return;
    }
    UpdateHealth();
    EndIfFailed();
  }
}

bool ServerProcess::StopServing() {
  std::lock_guard lock(mu_);
  if (std::exchange(stopping_, true)) return false;
  health_.SetAllServing(false);
  return true;
}

void ServerProcess::StopProbe() {
  {
    std::lock_guard lock(mu_);
    probed_ = true;
  }
  probed_cv_.notify_all();
  if (probe_.joinable()) probe_.join();
}

void ServerProcess::Stop(absl::Duration timeout) {
  listener_->Stop();
  health_.EndWatches();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
  server_->Wait();
}

void ServerProcess::Shutdown() {
  const absl::Duration begin = MonotonicNow();
  if (!StopServing()) return;
  if (program_.drain != nullptr) program_.drain(options_.drain_timeout);
  StopProbe();
  Stop(std::max(options_.drain_timeout - (MonotonicNow() - begin), kLastWrites));
}

int ServerProcess::ServeUntilSignal(const HostPort& http, ShutdownSignals& signals) {
  signals.Arm();  // whoever reads the ready line may send the signal at once
  std::cout << options_.program << " ready: grpc " << address().ToString() << " http "
            << http.ToString() << std::endl;
  const int signal = signals.Wait();
  logger_.Info("draining", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"},
                            {"timeout", options_.drain_timeout}});
  Shutdown();
  logger_.Info("stopped");
  std::lock_guard lock(mu_);
  return failed_ ? 1 : 0;
}

}  // namespace windowkv
