#include "server/router/open_relays.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status.h"

namespace windowkv {
namespace {

absl::Status ShuttingDown() { return absl::UnavailableError("the router is shutting down"); }

}  // namespace

absl::Status OpenRelays::Add(Relay* relay, int64_t prompt_bytes) {
  std::lock_guard lock(mu_);
  if (draining_) return ShuttingDown();
  if (waiting_bytes_ > 0 && waiting_bytes_ + prompt_bytes > max_waiting_bytes_) {
    return WithRetryDelay(
        absl::ResourceExhaustedError(absl::StrCat(
            "the router holds ", waiting_bytes_, " bytes of prompts that wait, and at most ",
            max_waiting_bytes_, " with this one's ", prompt_bytes)),
        absl::Seconds(1));
  }
  relays_.emplace(relay, prompt_bytes);
  waiting_bytes_ += prompt_bytes;
  return absl::OkStatus();
}

void OpenRelays::ForgetPrompt(Relay* relay) {
  std::lock_guard lock(mu_);
  waiting_bytes_ -= std::exchange(relays_.at(relay), 0);
}

void OpenRelays::Remove(Relay* relay) {
  std::lock_guard lock(mu_);
  if (const auto found = relays_.find(relay); found != relays_.end()) {
    waiting_bytes_ -= found->second;
    relays_.erase(found);
  }
  removed_.notify_all();
}

void OpenRelays::Drain(absl::Duration timeout) {
  std::unique_lock lock(mu_);
  draining_ = true;
  removed_.wait_for(lock, absl::ToChronoNanoseconds(timeout), [this] { return relays_.empty(); });
  for (const auto& [relay, bytes] : relays_) relay->EndEarly(ShuttingDown());
}

bool OpenRelays::draining() const {
  std::lock_guard lock(mu_);
  return draining_;
}

}  // namespace windowkv
