#include "server/metrics/http_endpoint.h"

#include <sys/socket.h>

#include <future>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status.h"
#include "httplib.h"
#include "server/metrics/timed_http_server.h"

namespace windowkv {
namespace {

constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kThreads = 4;
constexpr size_t kMaxBodyBytes = 4096;

void SetLimits(httplib::Server* server) {
  server->set_payload_max_length(kMaxBodyBytes);
  // The library's default, SO_REUSEPORT, would let two servers share a port unnoticed.
  server->set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
}

httplib::Server::Handler Probe(std::function<bool()> is_well) {
  return [is_well = std::move(is_well)](const httplib::Request&, httplib::Response& response) {
    const bool well = is_well();
    response.status = well ? 200 : 503;
    response.set_content(well ? "ok\n" : "not ok\n", "text/plain");
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(Config config) {
  std::unique_ptr<HttpEndpoint> endpoint(new HttpEndpoint(std::move(config)));
  WINDOWKV_RETURN_IF_ERROR(endpoint->Listen());
  return endpoint;
}

HttpEndpoint::HttpEndpoint(Config config)
    : config_(std::move(config)),
      server_(std::make_unique<TimedHttpServer>(config_.request_timeout)) {
  SetLimits(server_.get());
  AddRoutes();
}

HttpEndpoint::~HttpEndpoint() {
  if (!listener_.joinable()) return;
  server_->stop();
  listener_.join();
}

void HttpEndpoint::AddRoutes() {
  server_->Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(config_.metrics_text(), kMetricsContentType);
  });
  server_->Get("/livez", Probe(config_.is_live));
  server_->Get("/readyz", Probe(config_.is_ready));
}

absl::Status HttpEndpoint::Listen() {
  if (config_.port == 0) {
    port_ = server_->bind_to_any_port(config_.host);
  } else if (server_->bind_to_port(config_.host, config_.port)) {
    port_ = config_.port;
  } else {
    port_ = -1;
  }
  if (port_ <= 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", config_.host, ":", config_.port,
                                               ": the address is taken or not ours"));
  }
  // The library asks for its threads once it runs; stop() before that would be lost.
  auto running = std::make_shared<std::promise<void>>();
  server_->new_task_queue = [running] {
    running->set_value();
    return new httplib::ThreadPool(kThreads);
  };
  listener_ = std::thread([this] { server_->listen_after_bind(); });
  running->get_future().wait();
  return absl::OkStatus();
}

}  // namespace windowkv
