#include "client/cancellation.h"

namespace windowkv::client {

void Cancellation::Cancel() {
  std::lock_guard lock(mu_);
  cancelled_ = true;
  for (grpc::ClientContext* context : running_) context->TryCancel();
}

bool Cancellation::cancelled() const {
  std::lock_guard lock(mu_);
  return cancelled_;
}

void Cancellation::Add(grpc::ClientContext* context) {
  std::lock_guard lock(mu_);
  running_.insert(context);
  if (cancelled_) context->TryCancel();
}

void Cancellation::Remove(grpc::ClientContext* context) {
  std::lock_guard lock(mu_);
  running_.erase(context);
}

}  // namespace windowkv::client
