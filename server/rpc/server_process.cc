#include "server/rpc/server_process.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/server_builder.h"
#include "server/rpc/tls_credentials.h"

namespace windowkv {
namespace {

// What is left for the last messages of RPCs that a drain just ended.
constexpr absl::Duration kLastWrites = absl::Seconds(1);

// A client that vanished without closing its connection is noticed within half a minute, and its
// requests are cancelled.
constexpr int kKeepaliveTimeMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinClientPingIntervalMs = 5'000;

void EnableReflection() {
  // Adds a plugin to every later ServerBuilder of the process, so once is enough.
  static const bool enabled = [] {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(enabled);
}

void SetConnectionOptions(grpc::ServerBuilder* builder) {
  // Without this a second server on the same port would silently share its connections.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
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

ServerProcess::ServerProcess(const ServerOptions& options, ServedProgram program, Logger logger)
    : options_(options), program_(std::move(program)), logger_(std::move(logger)) {}

ServerProcess::~ServerProcess() {
  if (server_ == nullptr || !StopProbe()) return;
  Stop(absl::Now());
}

absl::Status ServerProcess::Listen() {
  EnableReflection();
  WINDOWKV_ASSIGN_OR_RETURN(auto credentials, MakeServerCredentials(options_.tls));
  grpc::ServerBuilder builder;
  SetConnectionOptions(&builder);
  builder.SetMaxReceiveMessageSize(options_.max_message_bytes);
  int port = 0;
  builder.AddListeningPort(options_.listen.ToString(), credentials, &port);
  health_.SetServing("", false);
  for (const auto& [name, service] : program_.services) {
    health_.SetServing(name, false);
    builder.RegisterService(service);
  }
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options_.listen.ToString(),
                     ": the address is taken or not ours, or the TLS files do not fit together"));
  }
  address_ = {options_.listen.host, port};
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

void ServerProcess::ProbeHealth() {
  const auto interval = absl::ToChronoMilliseconds(program_.health_interval);
  while (true) {
    {
      std::unique_lock lock(mu_);
      if (stopping_cv_.wait_for(lock, interval, [this] { return stopping_; })) return;
    }
    UpdateHealth();
  }
}

bool ServerProcess::StopProbe() {
  {
    std::lock_guard lock(mu_);
    if (stopping_) return false;
    stopping_ = true;
    health_.SetAllServing(false);
  }
  stopping_cv_.notify_all();
  if (probe_.joinable()) probe_.join();
  return true;
}

void ServerProcess::Stop(absl::Time deadline) {
  health_.EndWatches();
  server_->Shutdown(absl::ToChronoTime(deadline));
  server_->Wait();
}

void ServerProcess::Shutdown() {
  const absl::Time deadline = absl::Now() + options_.drain_timeout;
  if (!StopProbe()) return;
  if (program_.drain != nullptr) program_.drain(options_.drain_timeout);
  Stop(std::max(deadline, absl::Now() + kLastWrites));
}

int ServerProcess::ServeUntilSignal(const HostPort& http, ShutdownSignals& signals) {
  signals.Arm();  // whoever reads the ready line may send the signal at once
  std::cout << options_.program << " ready: grpc " << address_.ToString() << " http "
            << http.ToString() << std::endl;
  const int signal = signals.Wait();
  logger_.Info("draining", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"},
                            {"timeout", options_.drain_timeout}});
  Shutdown();
  logger_.Info("stopped");
  return 0;
}

}  // namespace windowkv
