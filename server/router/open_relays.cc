#include "server/router/open_relays.h"

namespace windowkv {
namespace {

absl::Status ShuttingDown() { return absl::UnavailableError("the router is shutting down"); }

}  // namespace

absl::Status OpenRelays::Add(Relay* relay) {
  std::lock_guard lock(mu_);
  if (draining_) return ShuttingDown();
  relays_.insert(relay);
  return absl::OkStatus();
}

void OpenRelays::Remove(Relay* relay) {
  std::lock_guard lock(mu_);
  relays_.erase(relay);
  removed_.notify_all();
}

void OpenRelays::Drain(absl::Duration timeout) {
  std::unique_lock lock(mu_);
  draining_ = true;
  removed_.wait_for(lock, absl::ToChronoNanoseconds(timeout), [this] { return relays_.empty(); });
  for (Relay* relay : relays_) relay->EndEarly(ShuttingDown());
}

bool OpenRelays::draining() const {
  std::lock_guard lock(mu_);
  return draining_;
}

}  // namespace windowkv
