#include "client/cancellation.h"

namespace windowkv::client {

void Cancellation::Cancel() {
  std::lock_guard lock(mu_);
  cancelled_ = true;
  for (const CancellationScope* scope : scopes_) scope->on_cancel_();
}

bool Cancellation::cancelled() const {
  std::lock_guard lock(mu_);
  return cancelled_;
}

void Cancellation::Add(const CancellationScope* scope) {
  std::lock_guard lock(mu_);
  scopes_.insert(scope);
  if (cancelled_) scope->on_cancel_();
}

void Cancellation::Remove(const CancellationScope* scope) {
  std::lock_guard lock(mu_);
  scopes_.erase(scope);
}

}  // namespace windowkv::client
