#include "server/router/backend.h"

#include <algorithm>
#include <utility>

namespace windowkv {
namespace {

// Share of an idle pool that a stream is taken to need.
constexpr int64_t kIdlePoolShare = 16;

int64_t BlocksPerStream(const v1::Load& load) {
  if (load.running() > 0) {
    return std::max<int64_t>(1, (load.total_kv_blocks() - load.free_kv_blocks()) / load.running());
  }
  return std::max<int64_t>(1, load.total_kv_blocks() / kIdlePoolShare);
}

// Streams are many and long, and the router itself goes on to another backend.
ServerChannelOptions WithoutRetries(ServerChannelOptions channel) {
  channel.retries = false;
  return channel;
}

}  // namespace

Backend::Backend(std::string target, RouterMetrics* metrics, Logger logger,
                 const ServerChannelOptions& channel)
    : target_(std::move(target)),
      metrics_(metrics),
      logger_(std::move(logger)),
      stub_(v1::GenerationService::NewStub(MakeServerChannel(target_, WithoutRetries(channel)))) {
  metrics_->OnBackendUp(target_, false);
  metrics_->OnOpenStreams(target_, 0);
}

bool Backend::healthy() const {
  std::lock_guard lock(mu_);
  return healthy_;
}

bool Backend::known_down() const {
  std::lock_guard lock(mu_);
  return reported_ && !healthy_;
}

v1::Backend Backend::Describe() const {
  std::lock_guard lock(mu_);
  v1::Backend description;
  description.set_target(target_);
  description.set_healthy(healthy_);
  *description.mutable_load() = load_;
  description.set_open_streams(open_streams_);
  return description;
}

std::optional<int64_t> Backend::ExpectedFreeBlocks() const {
  std::lock_guard lock(mu_);
  if (!healthy_) return std::nullopt;
  const auto unreported = static_cast<int64_t>(opened_ - opened_before_report_) + load_.waiting();
  return load_.free_kv_blocks() - unreported * BlocksPerStream(load_);
}

int Backend::open_streams() const {
  std::lock_guard lock(mu_);
  return open_streams_;
}

void Backend::OnStreamOpened() {
  std::lock_guard lock(mu_);
  ++opened_;
  metrics_->OnOpenStreams(target_, ++open_streams_);
}

void Backend::OnStreamClosed() {
  std::lock_guard lock(mu_);
  metrics_->OnOpenStreams(target_, --open_streams_);
}

uint64_t Backend::opened() const {
  std::lock_guard lock(mu_);
  return opened_;
}

void Backend::OnLoadReport(const v1::Load& load, uint64_t opened_before) {
  std::lock_guard lock(mu_);
  load_ = load;
  opened_before_report_ = opened_before;
  SetHealthyLocked(load.accepting(), "draining");
}

void Backend::OnUnreachable(std::string_view reason) {
  std::lock_guard lock(mu_);
  SetHealthyLocked(false, reason);
}

void Backend::SetHealthyLocked(bool healthy, std::string_view reason) {
  const bool changed = healthy != healthy_ || !reported_;
  healthy_ = healthy;
  reported_ = true;
  if (!changed) return;
  metrics_->OnBackendUp(target_, healthy);
  if (healthy) {
    logger_.Info("backend is up", {{"backend", target_}});
  } else {
    logger_.Warning("backend is down", {{"backend", target_}, {"reason", reason}});
  }
}

}  // namespace windowkv
