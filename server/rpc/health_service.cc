#include "server/rpc/health_service.h"

#include <utility>

namespace windowkv {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// One Watch call. Deletes itself in OnDone; every other method is called with the service's mutex
// held or takes it, and one write is in flight at most. gRPC runs no reaction inside StartWrite or
// Finish, so calling them with the mutex held is safe.
class HealthService::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthService* service, std::string name) : service_(service), name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  void UpdateLocked(ServingStatus status) {
    wanted_ = status;
    ProceedLocked();
  }
  void EndLocked() {
    ending_ = true;
    ProceedLocked();
  }

 private:
  void OnWriteDone(bool ok) override {
    std::lock_guard lock(service_->mu_);
    writing_ = false;
    broken_ = broken_ || !ok;
    ProceedLocked();
  }
  void OnCancel() override {
    std::lock_guard lock(service_->mu_);
    broken_ = true;
    ProceedLocked();
  }
  void OnDone() override {
    service_->Remove(this);
    delete this;
  }

  void ProceedLocked() {
    if (writing_ || finished_) return;
    if (broken_) {
      finished_ = true;
      Finish(grpc::Status::CANCELLED);
    } else if (wanted_ != sent_) {
      writing_ = true;
      sent_ = wanted_;
      response_.set_status(sent_);
      StartWrite(&response_);
    } else if (ending_) {
      finished_ = true;
      Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down"));
    }
  }

  HealthService* const service_;
  const std::string name_;
  HealthCheckResponse response_;
  ServingStatus wanted_ = HealthCheckResponse::UNKNOWN;
  ServingStatus sent_ = HealthCheckResponse::UNKNOWN;  // never sent, so the first status differs
  bool writing_ = false;
  bool ending_ = false;
  bool broken_ = false;  // the client is gone
  bool finished_ = false;
};

void HealthService::SetServing(std::string_view name, bool serving) {
  std::lock_guard lock(mu_);
  SetLocked(std::string(name),
            serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
}

void HealthService::SetAllServing(bool serving) {
  std::lock_guard lock(mu_);
  for (const auto& [name, status] : statuses_) {
    SetLocked(name, serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  }
}

void HealthService::EndWatches() {
  std::lock_guard lock(mu_);
  ended_ = true;
  for (Watcher* watcher : watchers_) watcher->EndLocked();
}

void HealthService::SetLocked(const std::string& name, ServingStatus status) {
  statuses_[name] = status;
  for (Watcher* watcher : watchers_) {
    if (watcher->name() == name) watcher->UpdateLocked(status);
  }
}

HealthService::ServingStatus HealthService::StatusLocked(const std::string& name) const {
  const auto it = statuses_.find(name);
  return it == statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : it->second;
}

void HealthService::Remove(Watcher* watcher) {
  std::lock_guard lock(mu_);
  watchers_.erase(watcher);
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context,
                                               const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  auto* reactor = context->DefaultReactor();
  std::unique_lock lock(mu_);
  const ServingStatus status = StatusLocked(request->service());
  lock.unlock();
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such service"));
  } else {
    response->set_status(status);
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request) {
  auto* watcher = new Watcher(this, request->service());
  std::lock_guard lock(mu_);
  watchers_.insert(watcher);
  watcher->UpdateLocked(StatusLocked(watcher->name()));
  if (ended_) watcher->EndLocked();
  return watcher;
}

}  // namespace windowkv
